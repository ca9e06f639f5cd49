"""What a route of KEDA's HTTP add-on asks for besides its target: decided per request. Pure.

A ``Backend`` of such a route has a policy, others have none. Effects are ``routed``'s.

    nothing is ready, and                                            then
    a placeholder, no limit or no overflow to it                     the placeholder, at once
    a limit, and as many wait already                                503, or the placeholder
    else                                                             it waits
"""

from __future__ import annotations

import math
import mimetypes
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from activator.http.events import RequestHead, ResponseHead
from activator.http.fields import HOP_BY_HOP, Field
from activator.probing import WAIT_FOR_READY
from activator.routes import BackendRef
from activator.rules import CompiledRule, compiled_rule, fields_of, host_of, path_of
from activator.targets import TargetSpec
from hearth.keda.api.httproutes import (
    DEFAULT_TARGET,
    HttpRoute,
    InvalidRoute,
    Response,
    ServiceRef,
)

UNAVAILABLE = 503
FALLBACK_SECONDS = 30.0
"""How long is waited for the target where there is a fallback and nothing is said."""
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds of the add-on's histogram, in seconds."""
GONE = 499
"""The code under which requests are counted whose client has gone."""

Bodies = Callable[[str, str], Mapping[str, str] | None]
"""The data of a ConfigMap that may be sent, by namespace and name."""

_COARSE_SECONDS = 30.0
"""From here on the moment in which a pod was given stands for that in which it had the request."""
_FAILED = ResponseHead.of(
    500, ((b"content-type", b"text/plain; charset=utf-8"),), b"Internal Server Error\n"
)
_METHODS = frozenset(b"CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE".split())
_OTHER_METHOD = "_OTHER"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_UNSAID = HOP_BY_HOP | {b"content-length", b"transfer-encoding"}
_EMPTY = (204, 304)


@dataclass(frozen=True, slots=True)
class AddonSettings:
    """What an operator says for all routes: the add-on's variables, its defaults. In seconds."""

    request_timeout: float = 0.0
    response_header_timeout: float = 300.0
    readiness_timeout: float = 0.0
    tells_cold_start: bool = True
    max_pending: int = 0
    namespace: str = ""
    """The only one whose routes count; empty: all."""


USUAL = AddonSettings()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of the gateway's own, made once where its body is known."""

    status: int
    fields: tuple[Field, ...]
    body: bytes
    config_map: str
    key: str

    def head(self, target: bytes, data: Mapping[str, str] | None) -> ResponseHead:
        """The response to a request for this target; ``data`` is that of the ConfigMap."""
        if not self.config_map:
            return self._made(self.body, "")
        if data is None:
            return _FAILED
        key = self.key or path_of(target).decode("utf-8", "replace") or "index.html"
        if key in data:
            return self._made(data[key].encode(), _content_type(key))
        # A path that is no key is an empty page; a key that was written down has to be there.
        return _FAILED if self.key else self._made(b"", "")

    def _made(self, body: bytes, kind: str) -> ResponseHead:
        fields = self.fields
        if body and not any(name.lower() == b"content-type" for name, _ in fields):
            fields = (*fields, (b"content-type", (kind or _sniffed(body)).encode()))
        return ResponseHead.of(self.status, fields, b"" if self.status in _EMPTY else body)


def _content_type(key: str) -> str:
    kind, _ = mimetypes.guess_type(key)
    is_text = kind is not None and kind.startswith("text/")
    return f"{kind}; charset=utf-8" if is_text else kind or ""


def _sniffed(body: bytes) -> str:
    """What Go's server says of a text where nobody says more."""
    kind = "html" if body.lstrip()[:1] == b"<" else "plain"
    return f"text/{kind}; charset=utf-8"


def answer_of(response: Response, usual: int) -> Answer:
    """Read a response; raises InvalidRoute for fields that cannot be sent."""
    fields = []
    for name, value in response.headers:
        if _NAME.fullmatch(name) is None or any(ord(char) < 32 for char in value):
            raise InvalidRoute(f"header {name!r} cannot be sent")
        if name.lower().encode() not in _UNSAID:
            fields.append((name.encode(), value.encode()))
    body = (response.body or "").encode()
    return Answer(response.status or usual, tuple(fields), body, response.config_map, response.key)


@dataclass(frozen=True, slots=True)
class Static:
    """Requests that scale nothing."""

    rules: tuple[CompiledRule, ...]
    answer: Answer
    is_always: bool


class Pending(Enum):
    """What becomes of a request while nothing is ready."""

    WAIT = "wait"
    PLACEHOLDER = "placeholder"
    REJECT = "reject"


class RouteCounts:
    """Requests of one route by method and code, for the add-on's metrics."""

    __slots__ = ("by_kind", "rejected")

    def __init__(self) -> None:
        # Counts by bucket, then the sum of seconds.
        self.by_kind: dict[tuple[bytes, int], list[float]] = {}
        self.rejected = 0

    def add(self, method: bytes, status: int, seconds: float) -> None:
        """A request is over."""
        counts = self.by_kind.get((method, status))
        if counts is None:
            counts = self._new(method, status)
        counts[bisect_left(BOUNDS, seconds)] += 1
        counts[-1] += seconds

    def _new(self, method: bytes, status: int) -> list[float]:
        """Methods that nobody knows share one line."""
        known = method if method in _METHODS else _OTHER_METHOD.encode()
        return self.by_kind.setdefault((known, status), [0.0] * (len(BOUNDS) + 2))


@dataclass(frozen=True, slots=True)
class Policy:
    """All of it. Time-outs of the whole request and of its response are the backend's."""

    namespace: str
    name: str
    statics: tuple[Static, ...] = ()
    # Where requests go that match a static route while the target is ready: they scale nothing.
    uncounted: BackendRef | None = None
    placeholder: Answer | None = None
    overflows_to_placeholder: bool = False
    # Requests that may wait, 0: all.
    max_pending: int = 0
    # Seconds that they may wait, 0: as long as the request may take.
    readiness: float = 0.0
    fallback: BackendRef | None = None
    tells_cold_start: bool = True
    # Seconds that the whole of a request may take.
    request: float = math.inf
    # Seconds until its response begins where that need not be exact, else the backend's matter.
    response_header: float = math.inf
    counts: RouteCounts = field(default_factory=RouteCounts)
    bodies: Bodies = lambda namespace, name: None
    # What the target of a request that matches a static route begins with, for a quick look.
    static_starts: tuple[bytes, ...] = ()

    def static_of(self, head: RequestHead) -> Static | None:
        """The first static route that a request matches."""
        target = head.target
        if not target.startswith(self.static_starts) and b"%" not in target:
            return None
        host, path, fields = host_of(head), path_of(head.target), fields_of(head)
        for static in self.statics:
            if any(rule.matches(host, path, fields) for rule in static.rules):
                return static
        return None

    def pending(self, waiting: int) -> Pending:
        """What becomes of a request that finds nothing ready, and so many that wait."""
        has_limit = self.max_pending > 0
        if self.placeholder is not None and not (has_limit and self.overflows_to_placeholder):
            return Pending.PLACEHOLDER
        if not has_limit or waiting < self.max_pending:
            return Pending.WAIT
        return Pending.PLACEHOLDER if self.overflows_to_placeholder else Pending.REJECT

    def response(self, answer: Answer, head: RequestHead) -> ResponseHead:
        """An answer as this request gets it."""
        data = self.bodies(self.namespace, answer.config_map) if answer.config_map else None
        return answer.head(head.target, data)

    def answers(self) -> list[Answer]:
        """All responses that are given here."""
        placeholder = () if self.placeholder is None else (self.placeholder,)
        return [*placeholder, *(static.answer for static in self.statics)]

    def references(self) -> frozenset[BackendRef]:
        """What requests may be sent to besides the target."""
        return frozenset(ref for ref in (self.uncounted, self.fallback) if ref is not None)


def policy_of(
    route: HttpRoute, settings: AddonSettings, bodies: Bodies, counts: RouteCounts
) -> Policy:
    """The policy of a route; raises ValueError, whose text is for its status."""
    cold, timeouts = route.cold_start, route.timeouts
    readiness = timeouts.readiness
    if readiness is None:
        readiness = settings.readiness_timeout
    if cold.fallback is not None and not readiness:
        readiness = FALLBACK_SECONDS
    statics = tuple(
        Static(
            tuple(compiled_rule(rule) for rule in static.rules),
            answer_of(static.response, 200),
            static.is_always,
        )
        for static in route.statics
    )
    return Policy(
        route.namespace,
        route.name,
        statics,
        uncounted=target_ref(route, is_counted=False) if route.statics else None,
        placeholder=None if cold.placeholder is None else answer_of(cold.placeholder, UNAVAILABLE),
        # The limit of all routes holds back nobody whom a placeholder would answer at once.
        overflows_to_placeholder=cold.overflows_to_placeholder and cold.max_pending is not None,
        max_pending=settings.max_pending if cold.max_pending is None else cold.max_pending,
        readiness=readiness,
        fallback=None if cold.fallback is None else _plain_ref(route, cold.fallback),
        tells_cold_start=settings.tells_cold_start,
        request=_request_seconds(route, settings) or math.inf,
        response_header=_header_seconds(route, settings)[0],
        counts=counts,
        bodies=bodies,
        static_starts=_starts(statics),
    )


def target_ref(route: HttpRoute, *, is_counted: bool = True) -> BackendRef:
    """The backend of a route's target: one for each route, so that it has counters of its own."""
    target = route.target
    return BackendRef(
        route.namespace, target.name, target.port, route=route.name, is_counted=is_counted
    )


def _plain_ref(route: HttpRoute, service: ServiceRef) -> BackendRef:
    return BackendRef(route.namespace, service.name, service.port)


def _starts(statics: Iterable[Static]) -> tuple[bytes, ...]:
    """What a target begins with that matches: a path of a rule, behind any number of slashes."""
    paths = {path for static in statics for rule in static.rules for path in rule.paths}
    return (b"//", *sorted(b"/" + path for path in paths))


def _request_seconds(route: HttpRoute, settings: AddonSettings) -> float:
    said = route.timeouts.request
    return settings.request_timeout if said is None else said


def _header_seconds(route: HttpRoute, settings: AddonSettings) -> tuple[float, float]:
    """Until a response begins: where it need not be exact (else never), and where it has to be.

    To look exactly costs each request a look at the clock.
    """
    said = route.timeouts.response_header
    seconds = settings.response_header_timeout if said is None else said
    if seconds >= _COARSE_SECONDS:
        return seconds, 0.0
    return math.inf, seconds


def target_spec(route: HttpRoute, settings: AddonSettings) -> TargetSpec:
    """What the gateway has to know of a route's target. Pods are ready by the kubelet's word."""
    coarse, exact = _header_seconds(route, settings)
    scaling = route.scaling
    return TargetSpec(
        namespace=route.namespace,
        name=route.name,
        service=route.target.name,
        spread_target=max(1, round(scaling.concurrency or scaling.rate or DEFAULT_TARGET)),
        # When a request is looked at first; what it may take is in its policy.
        timeout_seconds=min(_request_seconds(route, settings) or math.inf, coarse),
        response_start_timeout_seconds=exact,
        probe=WAIT_FOR_READY,
    )
