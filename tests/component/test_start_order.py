"""A control plane starts again, whatever is missing: its own webhooks must not stand in its way.

The registrations of the last run are still there, with failurePolicy Fail, and lead to nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from eventing import main as eventing
from eventing.api.settings import BrokerDefaults
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.knative.resources import PODAUTOSCALERS
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, BadRequest
from hearth.kube.resources import CONFIGMAPS, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from serving import main as serving

Run = Callable[[Path, Path, Callable[[], None]], Awaitable[None]]


async def run_serving(kubeconfig: Path, folder: Path, ready: Callable[[], None]) -> None:
    await serving.run(serving.ServingConfig(kubeconfig), ready)


async def run_eventing(kubeconfig: Path, folder: Path, ready: Callable[[], None]) -> None:
    url = "http://127.0.0.1:1"
    await eventing.run(eventing.EventingConfig(kubeconfig, broker_url=url), ready)


BOTH = pytest.mark.parametrize(
    ("run", "namespace", "config_map", "webhook"),
    [
        pytest.param(
            run_serving,
            "knative-serving",
            "config-gc",
            "config.webhook.serving.knative.dev",
            id="serving",
        ),
        pytest.param(
            run_eventing,
            "knative-eventing",
            "config-br-defaults",
            "config.webhook.eventing.knative.dev",
            id="eventing",
        ),
    ],
)


@contextlib.asynccontextmanager
async def started(run: Run, kubeconfig: Path, folder: Path) -> AsyncIterator[None]:
    """The control plane, ready; leaving ends it and leaves its registrations behind."""
    ready = asyncio.Event()
    task = asyncio.ensure_future(run(kubeconfig, folder, ready.set))
    waiting = asyncio.create_task(ready.wait())
    try:
        async with asyncio.timeout(60):
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.wait({task, waiting})


@BOTH
async def test_a_config_map_that_was_deleted_is_made_anew(
    tmp_path: Path, run: Run, namespace: str, config_map: str, webhook: str
) -> None:
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test") as client,
    ):
        async with started(run, server.kubeconfig, tmp_path):
            shipped = await client.get(CONFIGMAPS, config_map, namespace)
            await client.delete(CONFIGMAPS, config_map, namespace)
        dead = await client.get(VALIDATING_WEBHOOKS, webhook)
        with pytest.raises(ApiError, match="failed calling webhook"):
            await client.create(CONFIGMAPS, {**shipped, "metadata": _identity(shipped)})
        async with started(run, server.kubeconfig, tmp_path):
            again = await client.get(CONFIGMAPS, config_map, namespace)
            alive = await client.get(VALIDATING_WEBHOOKS, webhook)
    assert again["data"] == shipped["data"]
    assert alive["webhooks"][0]["clientConfig"] != dead["webhooks"][0]["clientConfig"]


def _identity(obj: dict[str, object]) -> dict[str, object]:
    metadata = obj["metadata"]
    assert isinstance(metadata, dict)
    return {name: metadata[name] for name in ("name", "namespace", "labels")}


async def test_eventing_refuses_a_config_map_it_cannot_read(tmp_path: Path) -> None:
    bad = {"data": {"default-br-config": "[]"}}
    with pytest.raises(ValueError, match="not a map"):
        BrokerDefaults.from_data(bad["data"])
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test") as client,
        started(run_eventing, server.kubeconfig, tmp_path),
    ):
        with pytest.raises(BadRequest, match=r"config\.webhook\.eventing\.knative\.dev"):
            await client.patch(CONFIGMAPS, "config-br-defaults", "knative-eventing", bad)


async def test_numbers_that_are_stored_already_are_survived(tmp_path: Path) -> None:
    """A NaN used to end the control plane at each start, and the webhook to mend it with it."""
    nan = {"annotations": {"autoscaling.knative.dev/target": "NaN"}}
    scaled = {
        "apiVersion": PODAUTOSCALERS.api_version,
        "kind": PODAUTOSCALERS.kind,
        "metadata": {"name": "old", "namespace": "default", **nan},
        "spec": {
            "protocolType": "http1",
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "old"},
        },
    }
    bad = {"data": {"target-burst-capacity": "Inf", "panic-window-percentage": "NaN"}}
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test") as client,
    ):
        async with started(run_serving, server.kubeconfig, tmp_path):
            pass
        await _forget_webhooks(client)
        await client.create(PODAUTOSCALERS, scaled)
        await client.patch(CONFIGMAPS, "config-autoscaler", "knative-serving", bad)
        async with started(run_serving, server.kubeconfig, tmp_path):
            await _has_status(client, "old")
            with pytest.raises(BadRequest, match="value out of range"):
                await client.patch(CONFIGMAPS, "config-autoscaler", "knative-serving", bad)
            good: dict[str, object] = {"data": dict.fromkeys(bad["data"])}
            await client.patch(CONFIGMAPS, "config-autoscaler", "knative-serving", good)
            with pytest.raises(BadRequest, match=r"invalid value: NaN: metadata\.annotations"):
                labels: dict[str, object] = {"metadata": {"labels": {"a": "b"}}}
                await client.patch(PODAUTOSCALERS, "old", "default", labels)


async def _forget_webhooks(client: KubeClient) -> None:
    for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS):
        for registered in (await client.list(resource))[0]:
            await client.delete(resource, registered["metadata"]["name"])


async def _has_status(client: KubeClient, name: str) -> None:
    """Wait until the control plane has dealt with a PodAutoscaler."""
    async with asyncio.timeout(60):
        while "status" not in await client.get(PODAUTOSCALERS, name, "default"):
            await asyncio.sleep(0.01)
