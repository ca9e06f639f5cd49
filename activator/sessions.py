"""Sticky sessions: what belongs together goes to one pod, while that can take it. Pure.

One ``Sessions`` for each target that asks for it; others have none, and pay nothing. By a cookie,
the first response names its pod and its target in one, and the session stays with both: with the
target also when the pod is gone, while a split gives that anything. By a
header, equal values go to the same pod, by rendezvous hashing: when pods come or go only sessions
move that have to. Affinity is a wish: a pod that is full or not ready is passed over, so limits
hold, nobody waits beside free capacity, and the order of arrival is kept. A session whose pod is
full is elsewhere for this request only.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Protocol

from activator.http.events import RequestHead, ResponseHead
from activator.http.fields import Field, find_field
from activator.members import score
from activator.places import pod_id
from activator.pods import Pod
from activator.throttler import Throttler
from serving.api.affinity import Affinity

_REMEMBERED = 10_000
"""Header values whose pod is kept in mind."""


class Session(Protocol):
    """What one request has of its session."""

    def near(self) -> Pod | None:
        """The pod that it is to go to, if that is ready."""

    def answer(self, pod: Pod, head: ResponseHead) -> None:
        """A pod has answered it; the response may have to say so."""


class Sessions:
    """The sessions of one target, as its ready pods are now."""

    __slots__ = (
        "_by_token",
        "_by_value",
        "_cookie",
        "_header",
        "_ready",
        "_target",
        "_throttler",
        "affinity",
        "counts",
    )

    def __init__(self, affinity: Affinity, throttler: Throttler[Any], target: str) -> None:
        """``target`` is its name among all there are."""
        self.affinity = affinity
        self._target = blake2b(target.encode(), digest_size=6).hexdigest().encode()
        self._cookie = affinity.cookie.encode("ascii")
        self._header = affinity.header.encode("ascii")
        self._throttler = throttler
        self._ready: list[Pod] = []
        self._by_token: dict[bytes, Pod] = {}
        self._by_value: dict[bytes, Pod] = {}
        self.counts = {"begun": 0, "kept": 0, "moved": 0, "elsewhere": 0}
        """Answers: of new sessions, of the session's pod, of another since it is gone or full."""

    def of(self, head: RequestHead, *, is_secure: bool) -> Session | None:
        """A request's session; None where it asks for none."""
        if self._cookie:
            token = cookie_value(head.fields, self._cookie)
            return _CookieSession(self, token, is_secure=is_secure)
        value = find_field(head.fields, self._header)
        return _HeaderSession(self, value) if value else None

    def has(self, head: RequestHead) -> bool:
        """Whether a request's cookie names this target, or a ready pod of it."""
        if not self._cookie:
            return False
        token = cookie_value(head.fields, self._cookie)
        if token is None:
            return False
        return token.partition(b".")[2] == self._target or self.named(token) is not None

    def roll(self, head: RequestHead) -> float | None:
        """In place of a random number in [0, 1), one that is the same for equal headers."""
        value = find_field(head.fields, self._header) if self._header else None
        if not value:
            return None
        return int.from_bytes(blake2b(value, digest_size=6).digest()) / 2**48

    def named(self, token: bytes) -> Pod | None:
        """The ready pod that a cookie names."""
        self._look()
        return self._by_token.get(token.partition(b".")[0])

    def drawn(self, value: bytes) -> Pod | None:
        """The ready pod that a header's value is drawn to."""
        self._look()
        pod = self._by_value.get(value)
        if pod is None and self._ready:
            text = value.decode("latin-1")
            pod = max(self._ready, key=lambda each: score(pod_id(each), text))
            if len(self._by_value) >= _REMEMBERED:
                self._by_value.clear()
            self._by_value[value] = pod
        return pod

    def set_cookie(self, pod: Pod, *, is_secure: bool) -> bytes:
        """The field that names a pod: for this host, out of reach of scripts and other sites."""
        secure = b"; Secure" if is_secure else b""
        return b"%b=%b.%b; Path=/; HttpOnly; SameSite=Lax%b" % (
            self._cookie,
            token_of(pod),
            self._target,
            secure,
        )

    def _look(self) -> None:
        ready = self._throttler.ready
        if ready is not self._ready:
            self._ready = ready
            self._by_token = {token_of(pod): pod for pod in ready} if self._cookie else {}
            self._by_value.clear()


class _CookieSession:
    """A request with the cookie, or one that is to get it."""

    __slots__ = ("_is_secure", "_sessions", "_token")

    def __init__(self, sessions: Sessions, token: bytes | None, *, is_secure: bool) -> None:
        self._sessions = sessions
        self._token = token
        self._is_secure = is_secure

    def near(self) -> Pod | None:
        return None if self._token is None else self._sessions.named(self._token)

    def answer(self, pod: Pod, head: ResponseHead) -> None:
        counts = self._sessions.counts
        if self._token is not None and self._token.partition(b".")[0] == token_of(pod):
            counts["kept"] += 1
        elif self.near() is not None:
            # Its pod was full, and it goes back there.
            counts["elsewhere"] += 1
        else:
            counts["begun" if self._token is None else "moved"] += 1
            cookie = self._sessions.set_cookie(pod, is_secure=self._is_secure)
            head.add(b"set-cookie", cookie)


class _HeaderSession:
    """A request whose header has a value."""

    __slots__ = ("_sessions", "_value")

    def __init__(self, sessions: Sessions, value: bytes) -> None:
        self._sessions = sessions
        self._value = value

    def near(self) -> Pod | None:
        return self._sessions.drawn(self._value)

    def answer(self, pod: Pod, head: ResponseHead) -> None:
        self._sessions.counts["kept" if self.near() is pod else "elsewhere"] += 1


def token_of(pod: Pod) -> bytes:
    """What stands for a pod in a cookie: the same for all activators, and nobody's address."""
    return blake2b(pod_id(pod).encode(), digest_size=8).hexdigest().encode()


def cookie_value(fields: Iterable[Field], name: bytes) -> bytes | None:
    """The value of a cookie of a request, which may have several Cookie fields over HTTP/2."""
    for key, value in fields:
        if key.lower() == b"cookie":
            for pair in value.split(b";"):
                found, equals, content = pair.partition(b"=")
                if equals and found.strip() == name:
                    return content.strip().strip(b'"')
    return None
