"""What InterceptorRoutes and HTTPScaledObjects ask for, as one small frozen view. Pure, no models.

Read by the gateway for each of these objects, and by who scales their targets. An HTTPScaledObject
is read as the InterceptorRoute that it stands for (the add-on's ``pkg/routing/table.go``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hearth.kube.durations import parse_go_duration

Object = dict[str, Any]

DEFAULT_TARGET = 100
DEFAULT_WINDOW, DEFAULT_GRANULARITY = 60.0, 1.0
"""Seconds over which a request rate is averaged, and of each of its buckets."""
LONGEST_BODY = 32768


class InvalidRoute(ValueError):
    """A route that cannot be followed; the text is for its status."""


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A field that a request has to have; any value will do where none is given."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests to any of these hosts, under any of these paths, with all of these fields.

    No hosts: any host; no paths: any path.
    """

    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    headers: tuple[HeaderMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """A port of a Service in the route's namespace, by number or by name."""

    name: str
    port: int | str


@dataclass(frozen=True, slots=True)
class Response:
    """A response that the gateway gives by itself. ``status`` 0: what is usual there."""

    status: int = 0
    body: str | None = None
    config_map: str = ""
    key: str = ""
    """Of the ConfigMap; empty: the path of the request."""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """Requests that scale nothing; ``is_always`` answered here, whatever is ready."""

    rules: tuple[Rule, ...]
    response: Response
    is_always: bool = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds; 0: none; None: what the gateway's settings say."""

    readiness: float | None = None
    request: float | None = None
    response_header: float | None = None


@dataclass(frozen=True, slots=True)
class ColdStart:
    """What becomes of requests while nothing is ready."""

    fallback: ServiceRef | None = None
    placeholder: Response | None = None
    max_pending: int | None = None
    overflows_to_placeholder: bool = False


@dataclass(frozen=True, slots=True)
class Scaling:
    """Targets for each replica; None where that metric is not asked for."""

    concurrency: float | None = None
    rate: float | None = None
    """Requests a second."""
    window: float = DEFAULT_WINDOW
    granularity: float = DEFAULT_GRANULARITY


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """One route of the add-on."""

    namespace: str
    name: str
    created: str
    """In RFC 3339."""
    target: ServiceRef
    rules: tuple[Rule, ...] = ()
    statics: tuple[StaticRoute, ...] = ()
    timeouts: Timeouts = Timeouts()
    cold_start: ColdStart = ColdStart()
    scaling: Scaling = Scaling()


def read_route(obj: Object) -> HttpRoute:
    """Read an InterceptorRoute or an HTTPScaledObject; raises InvalidRoute, whatever the fault."""
    try:
        spec = obj.get("spec") or {}
        # Items of lists need not say their kind.
        read = _of_scaled_object if "scaleTargetRef" in spec else _of_route
        return read(obj["metadata"], spec)
    except InvalidRoute:
        raise
    except Exception as error:
        # One object hurts itself only, also by what nobody thought of.
        raise InvalidRoute(f"cannot be read: {type(error).__name__}: {error}") from error


def _of_route(metadata: Object, spec: Object) -> HttpRoute:
    target = spec.get("target") or {}
    return HttpRoute(
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata["name"]),
        created=str(metadata.get("creationTimestamp") or ""),
        target=_service(target.get("service"), target, "spec.target"),
        rules=_rules(spec.get("rules")),
        statics=tuple(_static(each) for each in spec.get("staticRoutes") or ()),
        timeouts=_timeouts(spec.get("timeouts") or {}),
        cold_start=_cold_start(spec.get("coldStart") or {}),
        scaling=_scaling(spec.get("scalingMetric") or {}),
    )


def _of_scaled_object(metadata: Object, spec: Object) -> HttpRoute:
    target = spec.get("scaleTargetRef") or {}
    failover = spec.get("coldStartTimeoutFailoverRef")
    timeouts = spec.get("timeouts") or {}
    readiness = _seconds(timeouts, "conditionWait") or None
    if failover:
        readiness = float(failover.get("timeoutSeconds") or 0) or readiness
    rule = Rule(
        tuple(str(host) for host in spec.get("hosts") or ()),
        tuple(str(path) for path in spec.get("pathPrefixes") or ()),
        _headers(spec.get("headers")),
    )
    return HttpRoute(
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata["name"]),
        created=str(metadata.get("creationTimestamp") or ""),
        target=_service(target.get("service"), target, "spec.scaleTargetRef"),
        rules=(rule,),
        timeouts=Timeouts(readiness, None, _seconds(timeouts, "responseHeader") or None),
        cold_start=ColdStart(
            _service(failover.get("service"), failover, "spec.coldStartTimeoutFailoverRef")
            if failover
            else None
        ),
        scaling=_scaling_of_scaled_object(spec),
    )


def _scaling_of_scaled_object(spec: Object) -> Scaling:
    metric = spec.get("scalingMetric") or {}
    if metric.get("requestRate") is not None:
        return _scaling({"requestRate": metric["requestRate"]})
    if metric.get("concurrency") is not None:
        return _scaling({"concurrency": metric["concurrency"]})
    return Scaling(concurrency=float(spec.get("targetPendingRequests") or DEFAULT_TARGET))


def _service(name: object, ref: Object, where: str) -> ServiceRef:
    port, port_name = ref.get("port"), ref.get("portName")
    if not name:
        raise InvalidRoute(f"{where} names no service")
    if bool(port) == bool(port_name):
        raise InvalidRoute(f"{where}: exactly one of 'port' or 'portName' must be set")
    return ServiceRef(str(name), int(port) if port else str(port_name))


def _rules(given: Iterable[Object] | None) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            tuple(str(host) for host in rule.get("hosts") or ()),
            tuple(str(path["value"]) for path in rule.get("paths") or ()),
            _headers(rule.get("headers")),
        )
        for rule in given or ()
    )


def _headers(given: Iterable[Object] | None) -> tuple[HeaderMatch, ...]:
    return tuple(
        HeaderMatch(str(each["name"]), None if each.get("value") is None else str(each["value"]))
        for each in given or ()
    )


def _static(given: Object) -> StaticRoute:
    return StaticRoute(
        _rules(given.get("rules")),
        _response(given.get("response") or {}),
        is_always=given.get("responseMode") == "Always",
    )


def _response(given: Object) -> Response:
    reference, body = given.get("bodyFromConfigMap"), given.get("body")
    if reference and body is not None:
        raise InvalidRoute("at most one of 'body' or 'bodyFromConfigMap' may be set")
    if body is not None and len(str(body)) > LONGEST_BODY:
        raise InvalidRoute(f"a body has at most {LONGEST_BODY} characters")
    status = int(given.get("statusCode") or 0)
    if status and not 200 <= status <= 599:
        raise InvalidRoute(f"statusCode {status} is no status of a whole response (200 to 599)")
    return Response(
        status,
        None if body is None else str(body),
        str(reference["name"]) if reference else "",
        str(reference.get("key") or "") if reference else "",
        tuple((str(name), str(value)) for name, value in (given.get("headers") or {}).items()),
    )


def _timeouts(given: Object) -> Timeouts:
    names = ("readiness", "request", "responseHeader")
    return Timeouts(*(_seconds(given, name) for name in names))


def _seconds(given: Object, name: str) -> float | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return max(0.0, parse_go_duration(str(text)))
    except ValueError as error:
        raise InvalidRoute(f"{name}: {error}") from error


def _cold_start(given: Object) -> ColdStart:
    service = (given.get("fallback") or {}).get("service")
    response = (given.get("placeholder") or {}).get("response")
    most = given.get("maxPendingRequests")
    overflows = given.get("overflow") == "Placeholder"
    if overflows and response is None:
        raise InvalidRoute("'placeholder' must be set when 'overflow' is 'Placeholder'")
    return ColdStart(
        _service(service.get("name"), service, "coldStart.fallback.service") if service else None,
        None if response is None else _response(response),
        None if most is None else int(most),
        overflows,
    )


def _scaling(given: Object) -> Scaling:
    concurrency, rate = given.get("concurrency"), given.get("requestRate")
    if concurrency is None and rate is None:
        return Scaling()
    window = granularity = None
    if rate is not None:
        window, granularity = _seconds(rate, "window"), _seconds(rate, "granularity")
    return Scaling(
        None if concurrency is None else _target(concurrency),
        None if rate is None else _target(rate),
        window or DEFAULT_WINDOW,
        granularity or DEFAULT_GRANULARITY,
    )


def _target(given: Object) -> float:
    target = float(given.get("targetValue") or DEFAULT_TARGET)
    if target <= 0:
        raise InvalidRoute(f"targetValue {target:g} is not positive")
    return target


def with_ready(
    conditions: Iterable[Object] | None,
    *,
    is_ready: bool,
    reason: str,
    message: str,
    generation: int,
    now: str,
) -> list[Object]:
    """Return the conditions with this one as Ready; ``now`` (RFC 3339) is when it has changed."""
    given = list(conditions or ())
    known = next((each for each in given if each.get("type") == "Ready"), {})
    status = "True" if is_ready else "False"
    changed = known.get("lastTransitionTime") if known.get("status") == status else None
    ready = {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": changed or now,
    }
    return [*(each for each in given if each.get("type") != "Ready"), ready]
