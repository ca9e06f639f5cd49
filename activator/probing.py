"""When and how the activator itself asks a starting pod whether it is there. Pure.

Called by the prober. A kubelet looks once a second; a request that waits is better served by a look
every few milliseconds, with the user's own readiness probe where it can be run from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

Object = dict[str, Any]


class ProbeKind(Enum):
    """How a pod is asked."""

    HTTP = "http"
    TCP = "tcp"
    # Only the kubelet can tell (exec, gRPC, another port, a delay): wait for Ready.
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """A readiness probe, aimed at the port that serves requests."""

    kind: ProbeKind = ProbeKind.TCP
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    timeout_seconds: float = 1.0
    successes: int = 1


TCP_PROBE = ProbeSpec()
WAIT_FOR_READY = ProbeSpec(kind=ProbeKind.WAIT)

# (until this many seconds, look every ...): most processes listen within a second.
_SCHEDULE = ((1.0, 0.005), (5.0, 0.010), (60.0, 0.025), (float("inf"), 0.25))


def next_delay(elapsed: float) -> float:
    """Seconds until the next look, ``elapsed`` seconds after the first one."""
    return next(delay for until, delay in _SCHEDULE if elapsed < until)


def is_success(status_line: bytes) -> bool:
    """Whether an HTTP probe's answer counts: any status from 200 to 399, as in Kubernetes."""
    parts = status_line.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1."):
        return False
    return len(parts[1]) == 3 and b"200" <= parts[1] < b"400" and parts[1].isdigit()


def probe_request(spec: ProbeSpec, host: str, port: int) -> bytes:
    """The request of an HTTP probe. The user agent is one that request metrics leave out."""
    names = {name.lower() for name, _ in spec.headers}
    lines = [f"GET {spec.path or '/'} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {host}:{port}")
    if "user-agent" not in names:
        lines.append("User-Agent: Knative-Activator-Probe")
    lines += [f"{name}: {value}" for name, value in spec.headers]
    lines += ["Connection: close", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def probe_of(containers: list[Object]) -> ProbeSpec:
    """The probe that stands for a revision's readiness, read from its containers."""
    serving = next((c for c in containers if c.get("ports")), containers[0] if containers else {})
    if any(c.get("readinessProbe") for c in containers if c is not serving):
        return WAIT_FOR_READY
    probe = serving.get("readinessProbe") or {}
    ports = serving.get("ports") or [{}]
    return _translate(probe, {0, 8080, *_own_ports(ports[0])} if ports else {0})


def probe_of_pod(spec: Object, port: int) -> ProbeSpec:
    """The probe that stands for the readiness of any pod, at one of its container ports.

    What a kubelet would wait for besides (a gate, another container, a startup probe that asks for
    something else) only a kubelet can tell.
    """
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    probing = [each for each in every if each.get("readinessProbe") or each.get("startupProbe")]
    if not probing and not spec.get("readinessGates"):
        return TCP_PROBE
    if len(probing) != 1 or spec.get("readinessGates"):
        return WAIT_FOR_READY
    [container] = probing
    ready, started = container.get("readinessProbe"), container.get("startupProbe")
    if ready and started and _handler(ready) != _handler(started):
        return WAIT_FOR_READY
    names = {p.get("name") for p in container.get("ports") or () if p.get("containerPort") == port}
    return _translate(ready or started, {port, *names} - {None})


def _handler(probe: Object) -> Object:
    return {kind: probe.get(kind) for kind in ("exec", "grpc", "httpGet", "tcpSocket")}


def _own_ports(port: Object) -> set[int | str]:
    """The names under which a probe may mean the serving port."""
    own: set[int | str] = {"user-port", "http1", "h2c"}
    if port.get("containerPort"):
        own = own | {int(port["containerPort"])}
    if port.get("name"):
        own = own | {str(port["name"])}
    return own


def _translate(probe: Object, own_ports: set[int | str]) -> ProbeSpec:
    http, tcp = probe.get("httpGet"), probe.get("tcpSocket")
    if probe.get("exec") or probe.get("grpc") or probe.get("initialDelaySeconds"):
        return WAIT_FOR_READY
    target = http or tcp
    if target is None:
        return TCP_PROBE
    if target.get("host") or target.get("port", 0) not in own_ports:
        return WAIT_FOR_READY
    timeout = float(probe.get("timeoutSeconds") or 1)
    successes = int(probe.get("successThreshold") or 1)
    if http is None:
        return ProbeSpec(timeout_seconds=timeout, successes=successes)
    if str(http.get("scheme") or "HTTP").upper() != "HTTP":
        return WAIT_FOR_READY
    headers = tuple((str(h["name"]), str(h["value"])) for h in http.get("httpHeaders") or ())
    return ProbeSpec(
        kind=ProbeKind.HTTP,
        path=str(http.get("path") or "/"),
        headers=headers,
        timeout_seconds=timeout,
        successes=successes,
    )
