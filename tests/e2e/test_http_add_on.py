"""KEDA's HTTP add-on as its users have it: kubectl, and HTTP clients at the gateway.

Scenarios of the add-on's own e2e tests that scale something; those of routing alone are in
``tests/component/activator/test_addon.py``.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

from tests.e2e.support import SAMPLES, Answer, Hearth, wait_until

ADDRESS = "keda-add-ons-http-external-scaler.keda:9090"


def replicas(hearth: Hearth, name: str) -> int:
    return int(hearth.get_json("deployment", name)["spec"]["replicas"])


def get(hearth: Hearth, host: str, path: str = "/") -> Answer:
    return hearth.request("", path, headers={"Host": host})


def asked_together(hearth: Hearth, host: str, count: int) -> list[int]:
    """The statuses of so many requests that come as nearly at once as one client can send them."""
    clients = [HTTPConnection("127.0.0.1", hearth.port, timeout=60) for _ in range(count)]
    for client in clients:
        client.connect()
    for client in clients:
        client.request("GET", "/", headers={"Host": host})
    statuses = [client.getresponse().status for client in clients]
    for client in clients:
        client.close()
    return statuses


def an_app(name: str, target: int, *, replicas: int = 0, **env: str) -> list[dict[str, Any]]:
    """A Deployment at zero with its Service, its route and its ScaledObject."""
    metadata, labels = {"name": name, "namespace": "default"}, {"app": name}
    container = {
        "name": name,
        "image": "hearth.dev/samples/hello",
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    port = {"port": 80, "targetPort": 8080}
    route = {
        "target": {"service": name, "port": 80},
        "rules": [{"hosts": [f"{name}.test"]}],
        "scalingMetric": {"concurrency": {"targetValue": target}},
    }
    trigger = {"scalerAddress": ADDRESS, "interceptorRoute": name}
    scaled = {
        "scaleTargetRef": {"name": name},
        "cooldownPeriod": 3,
        "maxReplicaCount": 10,
        "triggers": [{"type": "external-push", "metadata": trigger}],
    }
    return [
        {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}
        for api, kind, spec in (
            ("apps/v1", "Deployment", deployment),
            ("v1", "Service", {"selector": labels, "ports": [port]}),
            ("http.keda.sh/v1beta1", "InterceptorRoute", route),
            ("keda.sh/v1alpha1", "ScaledObject", scaled),
        )
    ]


def test_the_samples_by_the_lines_of_their_readme(hearth: Hearth) -> None:
    hearth.kubectl("apply", "-f", str(SAMPLES / "http-add-on"))
    for kind in ("ir", "so", "httpso"):
        hearth.kubectl("wait", "--for=condition=Ready", kind, "--all", "--timeout=90s")
    assert get(hearth, "sample-app.example.com", "/healthz").body == "asleep\n"
    assert replicas(hearth, "sample-app") == 0
    first = get(hearth, "sample-app.example.com")
    assert (first.status, first.body) == (200, "Hello World!\n")
    assert first.headers["x-keda-http-cold-start"] == "true"
    assert get(hearth, "sample-app.example.com").headers["x-keda-http-cold-start"] == "false"
    # Now there is a pod, and static routes leave it to that.
    assert get(hearth, "sample-app.example.com", "/healthz").body == "Hello World!\n"
    assert get(hearth, "myhost.com", "/test").body == "Hello xkcd!\n"
    assert get(hearth, "myhost.com", "/").status == 404
    owner = hearth.get_json("so", "xkcd")["metadata"]["ownerReferences"][0]
    assert owner["kind"] == "HTTPScaledObject"
    wait_until(lambda: replicas(hearth, "sample-app") == 0, what="asleep again")


def test_a_burst_from_zero_gets_all_its_pods_at_once(hearth: Hearth) -> None:
    """ConcurrencyScaling, with a readiness probe that only the node may ask."""
    hearth.apply(*an_app("burst", target=5, DELAY="1"))
    hearth.kubectl("wait", "--for=condition=Ready", "so/burst", "--timeout=90s")
    assert asked_together(hearth, "burst.test", 20) == [200] * 20
    sets = hearth.get_json("rs", "-l", "app=burst")["items"]
    assert [each["spec"]["replicas"] for each in sets] == [4]

    def told() -> list[str]:
        events = hearth.get_json("events", "--field-selector", "reason=ScalingReplicaSet")["items"]
        return [each["message"] for each in events if each["involvedObject"]["name"] == "burst"]

    # The first of it is told of at once, the rest together: no pod between 1 and 4.
    wait_until(lambda: told()[-1:] and told()[-1].endswith(" to 4"), what="the Event of four")
    assert len(told()) <= 2, told()
    [explained] = json.loads(hearth.run("scale", "explain", "burst", "-o", "json").stdout)
    assert explained["scaledBy"] == "keda"
    wait_until(lambda: replicas(hearth, "burst") == 0, what="asleep again")


def test_a_route_without_its_scaled_object_waits_and_is_woken_once_there_is_one(
    hearth: Hearth,
) -> None:
    *others, scaled = an_app("late", target=5)
    hearth.apply(*others)
    hearth.kubectl("wait", "--for=condition=Ready", "ir/late", "--timeout=90s")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(get, hearth, "late.test")
        hearth.apply(scaled)
        assert waiting.result(60).status == 200
