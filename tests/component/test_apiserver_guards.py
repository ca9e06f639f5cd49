"""One bad object hurts itself only: neither the store, nor a start, nor housekeeping."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.cluster.lifecycle import housekeeping
from hearth.cluster.model.objects import Change, Key
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.resources import CONFIGMAPS, EVENTS

Object = dict[str, Any]
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
MUTATING = "mutatingwebhookconfigurations.admissionregistration.k8s.io"


def a_config_map(name: str) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def test_a_listener_that_fails_does_not_hold_up_a_write(tmp_path: Path) -> None:
    heard: list[str] = []

    def fail(change: Change) -> None:
        raise LookupError(change.now.key.name)

    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        server.api.store.listen("configmaps", fail)
        server.api.store.listen_to_all(lambda change: heard.append(change.now.key.name))
        async with asyncio.timeout(60):
            await client.create(CONFIGMAPS, a_config_map("a"))
            await client.create(CONFIGMAPS, a_config_map("b"))
    assert heard == ["a", "b"]


async def test_what_is_stored_and_cannot_be_read_does_not_keep_the_server_from_starting(
    tmp_path: Path,
) -> None:
    broken_kind: Object = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "broken.x.io"},
        "spec": {"group": "x.io", "versions": [{"served": True}]},
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }
    broken_webhook: Object = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "broken"},
        "webhooks": [{"rules": [{"operations": ["*"]}]}],
    }
    async with running_apiserver(tmp_path) as server:
        store = server.api.store
        await store.put(Key(DEFINITIONS, "", "broken.x.io"), broken_kind, expected=0)
        await store.put(Key(MUTATING, "", "broken"), broken_webhook, expected=0)
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        created = await client.create(CONFIGMAPS, a_config_map("a"))
        assert created["metadata"]["name"] == "a"


async def test_an_event_without_a_readable_time_leaves_the_others_to_expire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_EVERY_SECONDS", 0.01)
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        for name, time in (("bad", "yesterday"), ("old", "2020-01-01T00:00:00Z")):
            event = a_config_map(name) | {"kind": "Event", "lastTimestamp": time}
            await server.api.store.put(Key("events", "default", name), event, expected=0)
        task = asyncio.create_task(housekeeping.expire_events(server.api, lifetime_seconds=60))
        async with asyncio.timeout(60):
            with pytest.raises(NotFound):
                while True:
                    await client.get(EVENTS, "old", "default")
                    await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
