"""Validation of probes and lifecycle hooks. Pure; called by the containers' validation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hearth.cluster.model import checks
from hearth.cluster.model.checks import each, non_negative
from hearth.cluster.model.fielderrors import FieldError, forbidden, invalid, required
from hearth.cluster.model.kind import Object

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_NUMBERS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)


def probe_errors(probe: Object, path: str, *, kind: str) -> Iterator[FieldError]:
    """``kind`` is the field the probe stands in: livenessProbe, readinessProbe, startupProbe."""
    yield from handler_errors(probe, path, grace=None)
    for key in _NUMBERS:
        yield from non_negative(probe, key, path)
    grace = probe.get("terminationGracePeriodSeconds")
    grace_path = f"{path}.terminationGracePeriodSeconds"
    if grace is not None and grace <= 0:
        yield invalid(grace_path, grace, "must be greater than 0")
    if kind == "readinessProbe":
        if grace is not None:
            yield invalid(grace_path, grace, "must not be set for readinessProbes")
    elif probe.get("successThreshold") != 1:
        yield invalid(f"{path}.successThreshold", probe.get("successThreshold"), "must be 1")


def lifecycle_errors(lifecycle: Object, path: str, grace: int | None) -> Iterator[FieldError]:
    """Checks the hooks of a container."""
    for key in ("postStart", "preStop"):
        if (handler := lifecycle.get(key)) is not None:
            yield from handler_errors(handler, f"{path}.{key}", grace=grace)


def handler_errors(handler: Object, path: str, *, grace: int | None) -> Iterator[FieldError]:
    """Checks the one action of a probe or hook; ``grace`` is the pod's, in seconds."""
    given = [key for key in _HANDLERS if handler.get(key) is not None]
    if not given:
        yield required(path, "must specify a handler type")
        return
    yield from _action_errors(given[0], handler[given[0]], f"{path}.{given[0]}", grace)
    for key in given[1:]:
        yield forbidden(f"{path}.{key}", "may not specify more than 1 handler type")


def _action_errors(kind: str, action: Object, path: str, grace: int | None) -> Iterator[FieldError]:
    match kind:
        case "exec":
            if not action.get("command"):
                yield required(f"{path}.command")
        case "httpGet":
            yield from _http_errors(action, path)
        case "tcpSocket" | "grpc":
            yield from port_errors(action.get("port", 0), f"{path}.port")
        case "sleep":
            seconds = action.get("seconds", 0)
            if grace is not None and not 0 <= seconds <= grace:
                detail = (
                    "must be non-negative and less than terminationGracePeriodSeconds "
                    f"({grace}). Additionally, a value of 0 is only allowed when the "
                    "PodLifecycleSleepActionAllowZero feature is enabled"
                )
                yield invalid(path, seconds, detail)


def _http_errors(action: Object, path: str) -> Iterator[FieldError]:
    if not action.get("path"):
        yield required(f"{path}.path")
    yield from port_errors(action.get("port", 0), f"{path}.port")
    yield from checks.one_of(action.get("scheme", ""), ("HTTP", "HTTPS"), f"{path}.scheme")
    for header in action.get("httpHeaders") or ():
        name = header.get("name", "")
        yield from each(f"{path}.httpHeaders", name, checks.http_header_problems(name))


def port_errors(port: Any, path: str) -> Iterator[FieldError]:
    """A port number, or the name of a container's port."""
    if isinstance(port, str):
        yield from each(path, port, checks.port_name_problems(port))
    else:
        yield from each(path, port, checks.port_number_problems(port))
