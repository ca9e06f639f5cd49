"""What is done with fields: by name in any case, remembered within a bound."""

from __future__ import annotations

from activator.http.events import RequestHead
from activator.http.h1.fieldtable import FieldTable


class Read:
    """A request that is being read."""

    def __init__(self) -> None:
        self.head = RequestHead()
        self.hosts = 0
        self.expect: bytes | None = None
        self.http2_settings: list[bytes] = []
        self.connection = self.offered = self.transfer_encoding = b""

    def take(self, table: FieldTable, name: bytes, value: bytes) -> None:
        take = table.learn(name)
        assert not isinstance(take, bytes)
        take(self, value)


def test_a_field_is_known_in_any_case() -> None:
    table, read = FieldTable(taken=(b"x-taken",), dropped=(b"x-dropped",)), Read()
    read.take(table, b"X-TAKEN", b"1")
    read.take(table, b"x-taken", b"2")
    read.take(table, b"X-Dropped", b"3")
    assert read.head.taken == {b"x-taken": b"1, 2"}
    assert table.learn(b"X-Other") == b"X-Other"
    assert FieldTable(lowers=True).learn(b"X-Other") == b"x-other"
    assert read.head.fields == []


def test_what_is_about_the_hop_is_no_field_of_the_head() -> None:
    table, read = FieldTable(), Read()
    read.take(table, b"Host", b"a.example \t")
    read.take(table, b"Connection", b"upgrade")
    read.take(table, b"connection", b"te")
    read.take(table, b"Upgrade", b"x")
    read.take(table, b"Content-Length", b"7")
    assert (read.head.authority, read.hosts) == (b"a.example", 1)
    assert (read.connection, read.offered) == (b"upgrade,te", b"x")
    assert (read.head.length, read.head.has_length) == (7, True)
    assert read.head.fields == []


def test_names_are_remembered_within_a_bound() -> None:
    table = FieldTable(taken=(b"x-taken",))
    table.learn(b"X-" + b"a" * 100)
    assert table.seen == {}
    for number in range(1200):
        table.learn(b"X-Name-%d" % number)
    assert len(table.seen) == 1000
    # What is not remembered is still known.
    assert callable(table.learn(b"X-TAKEN"))
    assert b"X-TAKEN" not in table.seen
