"""Probes of running pods, and what others feel of a noisy one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client import generate_latest

from hearth.cluster.node.pod.status import LISTENING
from hearth.cluster.node.probes import prober
from hearth.kube.resources import PODS
from hearth.observability.metrics import REGISTRY

Cluster = Any
Look = Any


def a_server(**container: Any) -> dict[str, Any]:
    return {
        "name": "main",
        "image": "hello",
        "ports": [{"containerPort": 8080, "name": "http"}],
        **container,
    }


def ready_time(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])


async def test_readiness_by_a_named_port_comes_at_once(cluster: Cluster, look: Look) -> None:
    """The period is an hour; a service that is up in ten milliseconds does not wait for it."""
    probe = {"httpGet": {"port": "http", "path": "/x"}, "periodSeconds": 3600}
    await cluster.client.create(PODS, cluster.pod("quick", a_server(readinessProbe=probe)))
    await cluster.until("quick", look.is_ready)


async def test_a_program_that_listens_elsewhere(
    cluster: Cluster, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pod says at which port; it is forgotten as soon as the right one answers."""
    monkeypatch.setattr(prober, "_UNANSWERED_SECONDS", 0.1)
    script = (
        "import os, socket, time\n"
        "other = socket.create_server(('127.0.0.1', 0))\n"
        "print(other.getsockname()[1], flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "right = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n"
        "time.sleep(1000)"
    )
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    container = a_server(image="python", args=[script], readinessProbe=probe)
    await cluster.client.create(PODS, cluster.pod("elsewhere", container))

    def listening(pod: dict[str, Any]) -> Any:
        conditions = pod["status"].get("conditions") or ()
        return next((c for c in conditions if c["type"] == LISTENING), None)

    pod = await cluster.until("elsewhere", listening)
    folder = cluster.data_dir / "pods" / f"default_elsewhere_{pod['metadata']['uid']}"
    port = (folder / "main" / "0.log").read_text().split()[-1]
    found = listening(pod)
    assert (found["status"], found["reason"]) == ("False", "OtherPort")
    assert f"its program listens on port {port}:" in found["message"]
    assert (await cluster.until_event("elsewhere", "OtherPort"))["message"] == found["message"]
    (folder / "go").touch()
    pod = await cluster.until("elsewhere", look.is_ready)
    assert listening(pod) is None


async def test_readiness_comes_and_goes(cluster: Cluster, look: Look) -> None:
    probe = {
        "exec": {"command": ["/bin/sh", "-c", "[ -e open ]"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    container = {"readinessProbe": probe}
    await cluster.create("door", "touch open; exec sleep 1000", container=container)
    pod = await cluster.until("door", look.is_ready)
    folder = cluster.data_dir / "pods" / f"default_door_{pod['metadata']['uid']}"
    (folder / "open").unlink()
    pod = await cluster.until("door", lambda pod: not look.is_ready(pod))
    assert look.phase(pod) == "Running"
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    (folder / "open").touch()
    await cluster.until("door", look.is_ready)
    event = await cluster.until_event("door", "Unhealthy")
    assert event["message"] == "Readiness probe failed: exit status 1"


async def test_a_failing_liveness_probe_restarts(cluster: Cluster, look: Look) -> None:
    probe = {
        "exec": {"command": ["/bin/sh", "-c", "echo ill; exit 1"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    container = {"livenessProbe": probe}
    await cluster.create("ill", "exec sleep 1000", container=container, restartPolicy="Always")
    pod = await cluster.until(
        "ill", lambda pod: pod["status"].get("containerStatuses", [{}])[0].get("restartCount")
    )
    last = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert last["exitCode"] == 143
    assert (await cluster.until_event("ill", "Unhealthy"))[
        "message"
    ] == "Liveness probe failed: ill"
    killing = await cluster.until_event("ill", "Killing")
    assert killing["message"] == "Container main failed liveness probe, will be restarted"


async def test_a_startup_probe_comes_before_the_others(cluster: Cluster, look: Look) -> None:
    container = {
        "startupProbe": {"exec": {"command": ["/bin/sh", "-c", "[ -e up ]"]}, "periodSeconds": 1},
        "livenessProbe": {
            "exec": {"command": ["/bin/sh", "-c", "[ -e up ]"]},
            "failureThreshold": 1,
        },
    }
    await cluster.create("late", "sleep 0.5; touch up; exec sleep 1000", container=container)
    pod = await cluster.until("late", look.is_ready)
    assert pod["status"]["containerStatuses"][0]["started"] is True
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


async def test_a_service_that_never_listens(cluster: Cluster, look: Look) -> None:
    """It runs, is never ready, and the event names the port that is asked."""
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    container = {"readinessProbe": probe, "ports": [{"containerPort": 8080}]}
    await cluster.create("deaf", "exec sleep 1000", container=container)
    event = await cluster.until_event("deaf", "Unhealthy")
    assert "connect: connection refused" in event["message"]
    pod = await cluster.get("deaf")
    assert look.phase(pod) == "Running" and not look.is_ready(pod)


async def test_a_flood_of_output_hurts_nobody(cluster: Cluster, look: Look) -> None:
    await cluster.create("flood", "yes 'the same line again and again'")
    await cluster.until_log("flood", "again")
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 3600}
    await cluster.client.create(PODS, cluster.pod("calm", a_server(readinessProbe=probe)))
    await cluster.until("calm", look.is_ready)
    await cluster.delete("flood")
    await cluster.until_gone("flood")


async def test_usage_is_seen(cluster: Cluster, look: Look) -> None:
    await cluster.client.create(PODS, cluster.pod("used", a_server()))
    await cluster.until("used", look.is_ready)
    metrics = generate_latest(REGISTRY).decode()
    labels = 'container="main",namespace="default",pod="used"'
    (memory,) = re.findall(rf"container_memory_working_set_bytes{{{labels}}} (\S+)", metrics)
    assert float(memory) > 1024 * 1024
    assert f"container_cpu_usage_seconds_total{{{labels}}}" in metrics
