"""Serving's webhooks, CRDs and ConfigMaps on a real API server: nothing in between is faked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.apiserver.testing import running_apiserver
from hearth.knative.resources import KSERVICES, REVISIONS, ROUTES
from hearth.knative.settings import LiveSettings
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, BadRequest, Invalid
from hearth.kube.leadership import ALONE
from hearth.kube.meta import resource_version
from hearth.kube.registration import Registration
from hearth.kube.resources import CONFIGMAPS, CRDS, NAMESPACES
from hearth.kube.webhooks import Endpoint
from serving import install
from serving.api.settings import Settings
from serving.webhook.admission import ADMISSION
from tests.ports import free_port


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[KubeClient]:
    """An API server with everything of serving but its controllers."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_apiserver(folder))
        client = KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test")
        await stack.enter_async_context(client)
        settings = LiveSettings(Settings())
        handlers = ADMISSION.handlers(lambda: settings.value, client)
        registration = Registration(client, handlers, Endpoint(), leadership=ALONE)
        await stack.enter_async_context(registration.serving())
        await registration.register([ADMISSION.config_webhook()])
        await install.install(client, domain="localhost")
        cache = WatchCache(client, CONFIGMAPS, namespace="knative-serving")
        settings.follow(cache, system_namespace="knative-serving")
        task = asyncio.create_task(cache.run(), name="config-maps")
        stack.push_async_callback(_ended, task)
        await cache.synced()
        await registration.register(ADMISSION.kind_webhooks())
        yield client


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def service(name: str = "hello", **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"image": "ko.local/hello"}], **spec}}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": template},
    }


async def test_a_service_gets_its_defaults_and_its_author(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        made = await client.create(KSERVICES, service())
    annotations = made["metadata"]["annotations"]
    assert annotations.keys() == {
        "serving.knative.dev/creator",
        "serving.knative.dev/lastModifier",
    }
    spec = made["spec"]["template"]["spec"]
    assert spec["timeoutSeconds"] == 300
    assert spec["containers"][0]["readinessProbe"]["tcpSocket"] == {"port": 0}
    assert made["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]


async def test_what_knative_refuses_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        with pytest.raises(BadRequest) as error:
            await client.create(KSERVICES, service(timeoutSeconds=700))
    assert error.value.message == (
        'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
        "validation failed: expected 0 <= 700 <= 600: spec.template.spec.timeoutSeconds"
    )


async def test_a_revision_never_changes(tmp_path: Path) -> None:
    revision = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {"name": "r", "namespace": "default"},
        "spec": {"containers": [{"image": "ko.local/hello"}]},
    }
    async with running(tmp_path) as client:
        await client.create(REVISIONS, revision)
        patch = {"spec": {"timeoutSeconds": 9}}
        with pytest.raises(BadRequest, match="Immutable fields changed"):
            await client.patch(REVISIONS, "r", "default", patch)
        labelled = await client.patch(
            REVISIONS, "r", "default", {"metadata": {"labels": {"a": "b"}}}
        )
    assert labelled["metadata"]["labels"] == {"a": "b"}


async def test_config_maps_are_checked_and_followed(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        space = "knative-serving"
        bad = {"data": {"revision-timeout-seconds": "soon"}}
        with pytest.raises(BadRequest, match=r"config\.webhook\.serving\.knative\.dev"):
            await client.patch(CONFIGMAPS, "config-defaults", space, bad)
        good = {"data": {"revision-timeout-seconds": "42"}}
        await client.patch(CONFIGMAPS, "config-defaults", space, good)
        async with asyncio.timeout(60):
            while True:
                made = await client.create(KSERVICES, service(), dry_run=True)
                if made["spec"]["template"]["spec"]["timeoutSeconds"] == 42:
                    break


async def test_a_dry_run_tries_the_pod(tmp_path: Path) -> None:
    secret = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": ""}}}]}
    container = {"image": "ko.local/hello", **secret}
    async with running(tmp_path) as client:
        with pytest.raises(ApiError, match=r"dry run failed with Pod .*secretKeyRef\.key"):
            await client.create(KSERVICES, service(containers=[container]), dry_run=True)


async def test_a_dry_run_asks_for_the_service_account(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        with pytest.raises(ApiError) as error:
            await client.create(KSERVICES, service(serviceAccountName="sa"), dry_run=True)
    assert error.value.message.endswith(
        'dry run failed with pods "dry-run-validation" is forbidden: error looking up service '
        'account default/sa: serviceaccount "sa" not found: spec.template'
    )


async def test_without_containers_the_schema_refuses(tmp_path: Path) -> None:
    empty = service() | {"spec": {}}
    async with running(tmp_path) as client:
        with pytest.raises(Invalid, match="must be of type array"):
            await client.create(KSERVICES, empty)


async def test_installing_twice_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        before, _ = await client.list(CRDS)
        await client.patch(CONFIGMAPS, "config-gc", "knative-serving", {"data": {"x": "y"}})
        await install.install(client, domain="localhost")
        after, _ = await client.list(CRDS)
        kept = await client.get(CONFIGMAPS, "config-gc", "knative-serving")
        domain = await client.get(CONFIGMAPS, "config-domain", "knative-serving")
        await client.get(NAMESPACES, "knative-serving")
        routes, _ = await client.list(ROUTES)
    assert before == after
    assert kept["data"]["x"] == "y"
    assert domain["data"]["localhost"] == ""
    assert routes == []


async def test_the_next_process_tells_the_api_server_nothing_new(tmp_path: Path) -> None:
    kept, webhook = tmp_path / "certificates" / "kept.json", ADMISSION.config_webhook()
    endpoint = Endpoint(port=free_port(), kept=kept)
    versions = []
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig, user_agent="test") as client,
    ):
        for damage in (None, None, "{"):
            if damage is not None:
                kept.write_text(damage)
            registration = Registration(client, {}, endpoint, leadership=ALONE)
            async with registration.serving():
                await registration.register([webhook])
                stored = await client.get(webhook.resource, webhook.name)
            versions.append(resource_version(stored))
    assert versions[0] == versions[1] != versions[2]
    assert kept.stat().st_mode & 0o777 == 0o600
