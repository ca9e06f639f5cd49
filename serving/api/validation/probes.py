"""Probes of the containers of a revision."""

from __future__ import annotations

from hearth.knative import fielderrors as fe
from hearth.knative.fielderrors import Errors, FieldError
from hearth.kube.models import dump
from serving.api.podspec import Probe

_MAX = 2**31 - 1


def validate_probe(probe: Probe | None, port_name: str | None) -> Errors:
    """``port_name`` is that of the container's port, or None where a probe has to name one."""
    if probe is None:
        return []
    errors: Errors = []
    handlers: list[str] = []
    for name, action in (("httpGet", probe.http_get), ("tcpSocket", probe.tcp_socket)):
        if action is not None:
            handlers.append(name)
            errors = fe.via(errors, name) + _port_errors(action.port, port_name, name)
    if probe.exec is not None:
        handlers.append("exec")
        errors = fe.via(errors, "exec")
    if probe.grpc is not None:
        # Spelled so in Knative's message, and only there.
        handlers.append("gRPC")
        errors = fe.via(errors, "grpc")
    if not handlers:
        errors.append(fe.missing_one_of("httpGet", "tcpSocket", "exec", "grpc"))
    elif len(handlers) > 1:
        errors.append(fe.multiple_one_of(*handlers))
    return errors


def _port_errors(port: int | str, port_name: str | None, action: str) -> Errors:
    if port_name is None:
        if port in ("", 0):
            return [fe.invalid(port, f"{action}.port", "Probe port must be specified")]
    elif isinstance(port, str) and port and port != port_name:
        return [fe.invalid(port, f"{action}.port", "Probe port must match container port")]
    return []


def validate_readiness_probe(probe: Probe | None, port_name: str | None) -> Errors:
    """Check the probe that tells when requests may come."""
    if probe is None:
        return []
    errors = validate_probe(probe, port_name)
    errors += _at_least(0, probe, ("period_seconds", "initial_delay_seconds"))
    errors += _at_least(1, probe, ("success_threshold",))
    if probe.period_seconds:
        return errors + _at_least(1, probe, ("timeout_seconds", "failure_threshold"))
    # Without a period the probe runs as often as it can, until it succeeds.
    for name, value in (
        ("failureThreshold", probe.failure_threshold),
        ("timeoutSeconds", probe.timeout_seconds),
    ):
        if value:
            message = f"{name} is disallowed when periodSeconds is zero"
            errors.append(FieldError(message, (name,)))
    return errors


def _at_least(low: int, probe: Probe, names: tuple[str, ...]) -> Errors:
    return [
        fe.out_of_bounds(low, value, _MAX, field=str(Probe.model_fields[name].alias))
        for name in names
        if (value := getattr(probe, name)) < low
    ]


def disallowed_probe(probe: Probe | None) -> Errors:
    """A probe where none is allowed: each field set is named."""
    if probe is None:
        return []
    # The handlers are one embedded struct, which has no name of its own in JSON.
    handlers = {"exec", "httpGet", "tcpSocket", "grpc"}
    names = {"" if name in handlers else name for name in dump(probe)}
    return [fe.disallowed(*sorted(names))] if names else []
