"""When and how a starting pod is asked whether it is there."""

from __future__ import annotations

from typing import Any

import pytest

from activator.probing import (
    TCP_PROBE,
    WAIT_FOR_READY,
    ProbeKind,
    is_success,
    next_delay,
    probe_of,
    probe_of_pod,
    probe_request,
)


@pytest.mark.parametrize(
    ("elapsed", "delay"), [(0.0, 0.005), (0.9, 0.005), (3.0, 0.01), (30.0, 0.025), (90.0, 0.25)]
)
def test_schedule(elapsed: float, delay: float) -> None:
    assert next_delay(elapsed) == delay


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.0 399 X\r\n", True),
        (b"HTTP/1.1 400 Bad\r\n", False),
        (b"HTTP/1.1 199 X\r\n", False),
        (b"HTTP/1.1 2000 X\r\n", False),
        (b"SSH-2.0\r\n", False),
        (b"", False),
    ],
    ids=repr,
)
def test_success(line: bytes, expected: bool) -> None:
    assert is_success(line) is expected


@pytest.mark.parametrize(
    ("probe", "kind"),
    [
        pytest.param(None, ProbeKind.TCP, id="none"),
        pytest.param({"tcpSocket": {"port": 0}}, ProbeKind.TCP, id="default"),
        pytest.param({"tcpSocket": {"port": 9000}}, ProbeKind.TCP, id="own-port"),
        pytest.param({"tcpSocket": {"port": "web"}}, ProbeKind.TCP, id="own-name"),
        pytest.param({"tcpSocket": {"port": 9999}}, ProbeKind.WAIT, id="other-port"),
        pytest.param({"httpGet": {"path": "/r", "port": 0}}, ProbeKind.HTTP, id="http"),
        pytest.param({"httpGet": {"scheme": "HTTPS", "port": 0}}, ProbeKind.WAIT, id="https"),
        pytest.param({"httpGet": {"host": "x", "port": 0}}, ProbeKind.WAIT, id="other-host"),
        pytest.param({"exec": {"command": ["x"]}}, ProbeKind.WAIT, id="exec"),
        pytest.param({"grpc": {"port": 9000}}, ProbeKind.WAIT, id="grpc"),
        pytest.param(
            {"tcpSocket": {"port": 0}, "initialDelaySeconds": 5}, ProbeKind.WAIT, id="delay"
        ),
    ],
)
def test_kinds(probe: dict[str, Any] | None, kind: ProbeKind) -> None:
    container = {"ports": [{"containerPort": 9000, "name": "web"}], "readinessProbe": probe}
    assert probe_of([container]).kind is kind


def test_a_sidecar_with_a_probe_is_the_kubelets_business() -> None:
    serving = {"ports": [{"containerPort": 8080}]}
    assert probe_of([{"readinessProbe": {"tcpSocket": {"port": 1}}}, serving]) == WAIT_FOR_READY
    assert probe_of([{}, serving]) == TCP_PROBE
    assert probe_of([]) == TCP_PROBE


_TCP = {"tcpSocket": {"port": 8080}}
_HTTP = {"httpGet": {"port": "web"}}
_PORTS = [{"containerPort": 8080, "name": "web"}]


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        pytest.param({"containers": [{}]}, ProbeKind.TCP, id="none"),
        pytest.param({"containers": [{}, {"readinessProbe": _TCP}]}, ProbeKind.TCP, id="its-port"),
        pytest.param(
            {"containers": [{"ports": _PORTS, "readinessProbe": _HTTP}]},
            ProbeKind.HTTP,
            id="its-ports-name",
        ),
        pytest.param(
            {"containers": [{"readinessProbe": _HTTP}, {"ports": _PORTS}]},
            ProbeKind.WAIT,
            id="a-name-of-another-container",
        ),
        pytest.param(
            {"containers": [{"readinessProbe": {"tcpSocket": {"port": 1}}}]},
            ProbeKind.WAIT,
            id="another-port",
        ),
        pytest.param(
            {"containers": [{"readinessProbe": _TCP}, {"readinessProbe": _TCP}]},
            ProbeKind.WAIT,
            id="two",
        ),
        pytest.param(
            {"initContainers": [{"startupProbe": _TCP}], "containers": [{"readinessProbe": _TCP}]},
            ProbeKind.WAIT,
            id="a-sidecars",
        ),
        pytest.param(
            {"containers": [{}], "readinessGates": [{"conditionType": "x"}]},
            ProbeKind.WAIT,
            id="a-gate",
        ),
        pytest.param({"containers": [{"startupProbe": _TCP}]}, ProbeKind.TCP, id="startup"),
        pytest.param(
            {"containers": [{"startupProbe": _TCP | {"periodSeconds": 1}, "readinessProbe": _TCP}]},
            ProbeKind.TCP,
            id="startup-asks-the-same",
        ),
        pytest.param(
            {"containers": [{"startupProbe": {"exec": {}}, "readinessProbe": _TCP}]},
            ProbeKind.WAIT,
            id="startup-asks-something-else",
        ),
    ],
)
def test_kinds_of_any_pod(spec: dict[str, Any], kind: ProbeKind) -> None:
    assert probe_of_pod(spec, 8080).kind is kind


def test_an_http_probe_is_the_users_own() -> None:
    http = {"path": "/ready?x", "port": 0, "httpHeaders": [{"name": "Host", "value": "h"}]}
    spec = probe_of([{"readinessProbe": {"httpGet": http, "successThreshold": 2}}])
    assert spec.successes == 2
    assert probe_request(spec, "127.0.0.1", 41000) == (
        b"GET /ready?x HTTP/1.1\r\nUser-Agent: Knative-Activator-Probe\r\nHost: h\r\n"
        b"Connection: close\r\n\r\n"
    )
