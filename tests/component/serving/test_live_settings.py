"""Settings that change under a running control plane: what is asked for, and what is nonsense."""

from __future__ import annotations

import asyncio
import base64
import datetime
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.knative.resources import CERTIFICATES
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS, EVENTS, SECRETS
from serving.localauthority import ensure_authority
from serving.main import ServingConfig, run
from tests.otlp import collecting
from tests.waiting import until

NAME = "default.localhost"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[KubeClient]:
    """A client of a control plane that is ready, with an authority of its own."""
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test") as client,
    ):
        ready, folder = asyncio.Event(), tmp_path / "authority"
        ensure_authority(folder, datetime.datetime.now(datetime.UTC))
        config = ServingConfig(server.kubeconfig, authority=folder)
        task = asyncio.create_task(run(config, ready.set))
        try:
            async with asyncio.timeout(60):
                await ready.wait()
            yield client
        finally:
            task.cancel()
            await asyncio.wait({task})


async def _select(client: KubeClient, selector: str | None) -> None:
    data: dict[str, Any] = {"data": {"namespace-wildcard-cert-selector": selector}}
    await client.patch(CONFIGMAPS, "config-network", "knative-serving", data)


async def _found(client: KubeClient, resource: Any) -> Object | None:
    try:
        return await client.get(resource, NAME, "default")
    except NotFound:
        return None


async def test_wildcards_of_a_namespace_come_and_go_with_the_setting(client: KubeClient) -> None:
    await _select(client, "matchLabels: {kubernetes.io/metadata.name: default}")
    async with asyncio.timeout(60):
        while (secret := await _found(client, SECRETS)) is None:
            await asyncio.sleep(0.02)
    chain = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
    names = chain.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["*.default.localhost"]
    await _select(client, None)
    async with asyncio.timeout(60):
        while await _found(client, CERTIFICATES) is not None:
            await asyncio.sleep(0.02)
    assert await _found(client, CERTIFICATES) is None


async def test_nonsense_that_came_past_admission_is_told_and_changes_nothing(
    client: KubeClient,
) -> None:
    async def patch(change: dict[str, Any]) -> None:
        await client.patch(CONFIGMAPS, "config-gc", "knative-serving", change)

    data = {"data": {"min-non-active-revisions": "many"}}
    with pytest.raises(ApiError, match='"min-non-active-revisions": strconv'):
        await patch(data)
    # Admission is asked about ConfigMaps that carry Knative's label.
    await patch({"metadata": {"labels": {"app.kubernetes.io/name": None}}})
    await patch(data)
    async with asyncio.timeout(60):
        while not (told := [e for e in await _events(client) if e["reason"] == "InvalidSettings"]):
            await asyncio.sleep(0.02)
    assert told[0]["involvedObject"]["name"] == "config-gc"
    assert told[0]["message"] == (
        "The settings from before hold, or the defaults: failed to parse data: failed to parse "
        '"min-non-active-revisions": strconv.ParseInt: parsing "many": invalid syntax'
    )


async def test_a_component_says_as_much_as_config_logging_lets_it(client: KubeClient) -> None:
    controllers = logging.getLogger("serving.kinds")
    for level, effective in (("debug", logging.DEBUG), (None, logging.NOTSET)):
        change = {"data": {"loglevel.controller": level}}
        await client.patch(CONFIGMAPS, "config-logging", "knative-serving", change)
        async with asyncio.timeout(60):
            while controllers.level != effective:
                await asyncio.sleep(0.02)
    assert controllers.level == logging.NOTSET


async def test_metrics_go_to_a_collector_while_the_setting_names_one(client: KubeClient) -> None:
    async with collecting() as collector:
        await _observe(client, "http/protobuf", collector.url, "50ms")
        await until(lambda: "controller" in collector.metrics)
        await _observe(client, "none", None, None)
    assert "hearth_reconcile" in collector.metrics["controller"]


async def _observe(client: KubeClient, *values: str | None) -> None:
    keys = ("metrics-protocol", "metrics-endpoint", "metrics-export-interval")
    change = {"data": dict(zip(keys, values, strict=True))}
    await client.patch(CONFIGMAPS, "config-observability", "knative-serving", change)


async def _events(client: KubeClient) -> list[Object]:
    return (await client.list(EVENTS, "knative-serving"))[0]
