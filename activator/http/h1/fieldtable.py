"""What is done with each field of a request: framing, this hop, or the application's. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from activator.http import refusals
from activator.http.events import RequestHead
from activator.http.fields import tokens
from activator.http.refusals import FramingError

_SEEN_NAMES, _SEEN_OCTETS = 1000, 64
_OF_THE_FRAMING = frozenset((b"content-length", b"transfer-encoding"))


class Reading(Protocol):
    """A request that is being read, as far as its fields have a say."""

    head: RequestHead
    hosts: int
    """How many Host fields it has."""
    connection: bytes
    expect: bytes | None
    http2_settings: list[bytes]
    offered: bytes
    """What it offers to upgrade to."""
    transfer_encoding: bytes


TakeField = Callable[[Reading, bytes], None]


class FieldTable:
    """What is done with each request field: the half's own ones and those of an application.

    ``taken`` go to ``RequestHead.taken``, ``dropped`` are left out, all others pass: with their
    name as it came, for a proxy, or where ``lowers`` in lower case, for who reads them.

    ``seen`` remembers that by the names as they came: the action, or under which name it passes. So
    a name is put in lower case once, and whoever looks it up in tables hashes it once.
    """

    __slots__ = ("_actions", "lowers", "names", "seen")

    def __init__(
        self,
        taken: Iterable[bytes] = (),
        dropped: Iterable[bytes] = (),
        *,
        lowers: bool = False,
    ) -> None:
        self.lowers = lowers
        own: dict[bytes, TakeField] = {name: _take_aside(name) for name in taken}
        own |= dict.fromkeys(dropped, _drop)
        self.names = frozenset(own)
        self._actions: Mapping[bytes, TakeField] = {**_FOR_US, **own, **_FRAMING_FIELDS}
        self.seen: dict[bytes, TakeField | bytes] = {}

    def learn(self, name: bytes) -> TakeField | bytes:
        """What is done with a field that was not seen before, or the name under which it passes."""
        lowered = name.lower()
        action = self._actions.get(lowered) or (lowered if self.lowers else name)
        if lowered.replace(b"_", b"-") in _OF_THE_FRAMING and b"_" in lowered:
            action = _refuse
        # Clients choose the names, so there is a bound to how many are kept.
        if len(self.seen) < _SEEN_NAMES and len(name) <= _SEEN_OCTETS:
            self.seen[name] = action
        return action


def _take_aside(name: bytes) -> TakeField:
    def take(reading: Reading, value: bytes) -> None:
        taken = reading.head.taken
        if taken is None:
            reading.head.taken = {name: value}
        else:
            taken[name] = b"%b, %b" % (taken[name], value) if taken.get(name) else value

    return take


def _refuse(reading: Reading, value: bytes) -> None:
    """CGI and its heirs (WSGI, PHP) read it as if its underscore were a hyphen."""
    raise FramingError(refusals.BAD_REQUEST)


def _drop(reading: Reading, value: bytes) -> None:
    """Not passed on."""


def _on_host(reading: Reading, value: bytes) -> None:
    reading.head.authority = value.rstrip(b" \t")
    reading.hosts += 1


def _on_length(reading: Reading, value: bytes) -> None:
    head = reading.head
    head.length = int(value)
    head.has_length = True


def _on_transfer_encoding(reading: Reading, value: bytes) -> None:
    so_far = reading.transfer_encoding
    reading.transfer_encoding = so_far + b"," + value if so_far else value


def _on_connection(reading: Reading, value: bytes) -> None:
    so_far = reading.connection
    reading.connection = so_far + b"," + value if so_far else value


def _on_upgrade(reading: Reading, value: bytes) -> None:
    so_far = reading.offered
    reading.offered = so_far + b", " + value if so_far else value


def _on_http2_settings(reading: Reading, value: bytes) -> None:
    # Two are as good as none, so there is no use in keeping more.
    if len(reading.http2_settings) < 2:
        reading.http2_settings.append(value)


def _on_expect(reading: Reading, value: bytes) -> None:
    so_far = reading.expect
    reading.expect = value if so_far is None else so_far + b"," + value


def _on_te(reading: Reading, value: bytes) -> None:
    reading.head.wants_trailers = b"trailers" in tokens(value)


_FOR_US: dict[bytes, TakeField] = {b"proxy-authorization": _drop}
"""Meant for the next proxy, which we are: not passed on, whether anybody takes it or not."""

_FRAMING_FIELDS: dict[bytes, TakeField] = {
    b"host": _on_host,
    b"content-length": _on_length,
    b"transfer-encoding": _on_transfer_encoding,
    b"connection": _on_connection,
    b"upgrade": _on_upgrade,
    b"expect": _on_expect,
    b"te": _on_te,
    # Hop-by-hop (RFC 9110, section 7.6.1).
    b"keep-alive": _drop,
    b"proxy-connection": _drop,
    b"proxy-authenticate": _drop,
    b"http2-settings": _on_http2_settings,
}
