from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hearth.cluster.node.pod.spec import Handler, PodSpec, parse_handler

ASpec = Callable[..., PodSpec]


def test_probe_defaults(a_spec: ASpec) -> None:
    probe = a_spec({"readinessProbe": {"httpGet": {"port": "http"}}}).containers[0].readiness
    assert probe is not None
    assert (probe.initial_delay, probe.period, probe.timeout) == (0, 10, 1)
    assert (probe.success_threshold, probe.failure_threshold) == (1, 3)
    assert probe.handler == Handler("httpGet", port="http")


@pytest.mark.parametrize(
    ("raw", "handler"),
    [
        (None, None),
        ({}, None),
        ({"exec": {"command": ["a", "b"]}}, Handler("exec", command=("a", "b"))),
        ({"tcpSocket": {"port": 1, "host": "h"}}, Handler("tcpSocket", port=1, host="h")),
        ({"grpc": {"port": 1, "service": "s"}}, Handler("grpc", port=1, service="s")),
        ({"sleep": {"seconds": 3}}, Handler("sleep", seconds=3)),
        (
            {
                "httpGet": {
                    "port": 1,
                    "path": "/x",
                    "scheme": "https",
                    "httpHeaders": [{"name": "A"}],
                }
            },
            Handler("httpGet", port=1, path="/x", scheme="HTTPS", headers=(("A", ""),)),
        ),
    ],
)
def test_handlers(raw: dict[str, Any] | None, handler: Handler | None) -> None:
    assert parse_handler(raw) == handler


def test_a_pod_with_nothing_said(a_spec: ASpec) -> None:
    pod = a_spec()
    assert (pod.restart_policy, pod.grace_seconds, pod.active_deadline) == ("Always", 30, None)
    assert a_spec(terminationGracePeriodSeconds=0).grace_seconds == 0
    assert pod.full_name == "web_default(uid-web)"
