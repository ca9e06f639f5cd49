"""The books of quotas: never more than there is, and right whatever came before."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.model.objects import Key
from hearth.cluster.quota.check import Refused, read_quota
from hearth.cluster.quota.ledger import Ledger

QUOTA = Key("resourcequotas", "n", "q")


def a_quota(pods: int, **more: str) -> Any:
    return read_quota({"metadata": {"name": "q"}, "spec": {"hard": {"pods": str(pods), **more}}})


def a_pod(cpu: str = "0") -> Any:
    resources = {"requests": {"cpu": cpu}}
    return {"metadata": {}, "spec": {"containers": [{"name": "c", "resources": resources}]}}


def key(name: object) -> Key:
    return Key("pods", "n", str(name))


def used(ledger: Ledger) -> int:
    book = ledger.book(QUOTA)
    assert book is not None
    return int(book.total_used()["pods"].amount)


def test_a_write_on_its_way_counts_until_it_is_stored_or_has_failed() -> None:
    ledger = Ledger()
    book = ledger.open(QUOTA, a_quota(1))
    let_go = ledger.reserve(key(1), a_pod(), 0)
    with pytest.raises(Refused, match="used: pods=1"):
        ledger.reserve(key(2), a_pod(), 0)
    let_go()
    let_go = ledger.reserve(key(2), a_pod(), 0)
    assert used(ledger) == 0
    assert book.count(key(2), a_pod(), 0)
    let_go()
    assert used(ledger) == 1
    assert not book.count(key(2), a_pod(), 0)
    assert book.count(key(2), None, 0)
    assert used(ledger) == 0


def test_a_refusal_of_one_quota_holds_nothing_of_the_others() -> None:
    ledger = Ledger()
    first = ledger.open(QUOTA, a_quota(1))
    ledger.open(Key("resourcequotas", "n", "r"), a_quota(0))
    with pytest.raises(Refused):
        ledger.reserve(key(1), a_pod(), 0)
    assert not first.holds


def test_a_quota_that_changes_keeps_what_is_held() -> None:
    ledger = Ledger()
    ledger.open(QUOTA, a_quota(5))
    ledger.reserve(key(1), a_pod(), 0)
    ledger.open(QUOTA, a_quota(1))
    with pytest.raises(Refused):
        ledger.reserve(key(2), a_pod(), 0)
    ledger.close(QUOTA)
    ledger.reserve(key(2), a_pod(), 0)
    assert not ledger


def test_an_update_needs_what_it_uses_more() -> None:
    ledger = Ledger()
    book = ledger.open(QUOTA, a_quota(1, cpu="1"))
    book.count(key(1), a_pod("600m"), 0)
    ledger.reserve(key(1), a_pod("900m"), 0)
    with pytest.raises(Refused, match="requested: cpu=500m, used: cpu=900m"):
        ledger.reserve(key(1), a_pod("1100m"), 0)


steps = st.lists(
    st.tuples(st.sampled_from(["create", "store", "fail", "delete", "limit"]), st.integers(0, 9)),
    max_size=60,
)


class Model:
    """A namespace with one quota, and what should be so."""

    def __init__(self) -> None:
        self.limit, self.stored = 3, set[int]()
        self.on_the_way: dict[int, Callable[[], None]] = {}
        self.ledger = Ledger()
        self.book = self.ledger.open(QUOTA, a_quota(self.limit))

    def limit_to(self, limit: int) -> None:
        self.limit = limit
        self.book = self.ledger.open(QUOTA, a_quota(limit))
        for each in self.stored:
            self.book.count(key(each), a_pod(), 0)

    def create(self, name: int) -> None:
        has_room = len(self.stored) + len(self.on_the_way) < self.limit
        try:
            self.on_the_way[name] = self.ledger.reserve(key(name), a_pod(), 0)
            assert has_room
        except Refused:
            assert not has_room

    def end(self, name: int, *, is_stored: bool) -> None:
        if is_stored:
            self.book.count(key(name), a_pod(), 0)
            self.stored.add(name)
        self.on_the_way.pop(name)()

    def delete(self, name: int) -> None:
        self.book.count(key(name), None, 0)
        self.stored.discard(name)


@given(steps)
def test_what_is_let_in_never_exceeds_the_limit_of_the_moment(taken: list[Any]) -> None:
    model = Model()
    for step, name in taken:
        if step == "limit":
            model.limit_to(name)
        elif step == "create" and name not in model.stored | model.on_the_way.keys():
            model.create(name)
        elif step in ("store", "fail") and name in model.on_the_way:
            model.end(name, is_stored=step == "store")
        elif step == "delete" and name in model.stored:
            model.delete(name)
        assert used(model.ledger) == len(model.stored)
        assert len(model.book.holds) == len(model.on_the_way)
