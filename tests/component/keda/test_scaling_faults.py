"""What goes wrong with triggers that scale: nothing is scaled in for not knowing."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

from hearth.keda.api import keys
from hearth.kube.resources import DEPLOYMENTS, SECRETS
from tests.component.keda import servers
from tests.component.keda.operator import NS, Keda, cluster, condition
from tests.ports import free_port


def redis_trigger(port: int, **more: Any) -> dict[str, Any]:
    metadata = {"address": f"127.0.0.1:{port}", "listName": "jobs", "listLength": "5"}
    return {"type": "redis", "name": "jobs", "metadata": metadata} | more


def redis(port: int, *command: str) -> None:
    program = servers.program("redis-cli")
    subprocess.run([program, "-p", str(port), *command], check=True, capture_output=True)


def push(port: int, count: int) -> None:
    redis(port, "rpush", "jobs", *map(str, range(count)))


async def replicas_of(keda: Keda) -> int:
    return int((await keda.client.get(DEPLOYMENTS, "web", NS))["spec"]["replicas"])


async def test_a_server_that_goes_away_and_returns(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.deployment()
        with servers.redis(tmp_path) as port:
            push(port, 12)
            await keda.scaledobject(triggers=[redis_trigger(port)], cooldownPeriod=0)
            await keda.replicas(3)
            await keda.said("Ready", "True")
        failed = await keda.said("Ready", "False", "TriggerError")
        assert condition(failed, "Active")["status"] == "False"
        told = await keda.event("KEDAScalerFailed")
        assert str(port) in told["message"]
        assert await replicas_of(keda) == 3
        again = redis_trigger(port)
        await keda.client.patch(keys.SCALEDOBJECTS, "web", NS, {"spec": {"triggers": [again]}})
        with servers.redis(tmp_path) as other:
            again = redis_trigger(other)
            patch = {"spec": {"triggers": [again]}}
            await keda.client.patch(keys.SCALEDOBJECTS, "web", NS, patch)
            await keda.replicas(0)
            await keda.said("Ready", "True")


async def test_a_fallback_as_it_is_written(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.deployment()
        fallback = {"failureThreshold": 1, "replicas": 4}
        trigger = redis_trigger(free_port())
        await keda.scaledobject(triggers=[trigger], fallback=fallback, cooldownPeriod=0)
        await keda.replicas(4)
        found = await keda.said("Fallback", "True", "FallbackExists")
        assert condition(found, "Ready")["status"] == "True"
        health = found["status"]["health"]["s0-redis-jobs"]
        assert health["status"] == "Failing"
        assert health["numberOfFailures"] > 1
        await keda.event("ScaledObjectFallbackActivated")
        with servers.redis(tmp_path) as port:
            patch = {"spec": {"triggers": [redis_trigger(port)]}}
            await keda.client.patch(keys.SCALEDOBJECTS, "web", NS, patch)
            found = await keda.said("Fallback", "False", "NoFallbackFound")
            await keda.event("ScaledObjectFallbackDeactivated")
            await keda.replicas(0)


async def test_a_secret_that_changes_is_read_again(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        with servers.redis(tmp_path, "--requirepass", "new") as port:
            await keda.deployment()
            data = {"password": base64.b64encode(b"old").decode()}
            await keda.create(SECRETS, "redis", data=data)
            reference = [{"parameter": "password", "name": "redis", "key": "password"}]
            await keda.create(
                keys.TRIGGERAUTHENTICATIONS, "redis", spec={"secretTargetRef": reference}
            )
            trigger = redis_trigger(port, authenticationRef={"name": "redis"})
            await keda.scaledobject(triggers=[trigger])
            await keda.said("Ready", "False", "TriggerError")
            redis(port, "-a", "new", "rpush", "jobs", "1")
            data = {"password": base64.b64encode(b"new").decode()}
            await keda.client.patch(SECRETS, "redis", NS, {"data": data})
            await keda.replicas(1)
            found = await keda.said("Ready", "True")
            assert found["status"]["authenticationsTypes"] == "redis"


async def test_a_formula_of_two_triggers_one_of_which_is_away(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        with servers.redis(tmp_path) as port:
            await keda.deployment()
            push(port, 10)
            away = redis_trigger(free_port()) | {"name": "away"}
            modifiers = {"formula": "away ?? jobs", "target": "2"}
            fallback = {"failureThreshold": 0, "replicas": 1, "behavior": "scalingModifiers"}
            await keda.scaledobject(
                triggers=[away, redis_trigger(port)],
                advanced={"scalingModifiers": modifiers},
                fallback=fallback,
            )
            await keda.replicas(5)
            found = await keda.said("Active", "True")
            assert found["status"]["compositeScalerName"] == "composite-metric"
