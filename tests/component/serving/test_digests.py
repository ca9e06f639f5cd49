"""Digests of images, asked of Debian's docker-registry as a revision is made."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import serving.digests
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube import resources
from hearth.kube.certificates import issued, new_authority
from hearth.kube.client import KubeClient
from hearth.kube.conditions import Conditions
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object
from hearth.oci.errors import Unreachable
from hearth.oci.references import parse_reference
from hearth.oci.registry import Repository
from hearth.oci.registry import client as registries
from serving.api.config.deployment import DeploymentConfig
from serving.api.settings import Settings
from serving.controlplane import ControlPlane
from serving.install import install
from serving.kinds import sources
from tests.images import PASSWORD, USER, Registry, TestImage
from tests.ports import free_port

SETTINGS = Settings(
    deployment=DeploymentConfig(
        resolves_digests=True,
        digest_resolution_timeout=5.0,
        registries_skipping_tag_resolving=frozenset({"dev.local"}),
    )
)


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """A cluster whose control plane asks registries, and asks again soon."""
    monkeypatch.setattr(serving.digests, "FIRST_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(serving.digests, "LAST_RETRY_SECONDS", 0.1)
    async with (
        running_apiserver(tmp_path) as server,
        KubeClient.from_kubeconfig(server.kubeconfig) as made,
    ):
        await install(made)
        synced = asyncio.Event()
        plane = ControlPlane(made, settings=SETTINGS, docker_config=tmp_path / "config.json")
        task = asyncio.create_task(plane.run(synced.set))
        try:
            await synced.wait()
            yield made
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def make(client: KubeClient, name: str, image: str) -> None:
    spec = {"template": {"spec": {"containers": [{"name": "user", "image": image}]}}}
    configuration = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Configuration",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }
    await client.create(sources.CONFIGURATIONS.resource, configuration)


async def until(found: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(NotFound):
                if value := await found():
                    return value
            await asyncio.sleep(0.01)


async def deployed(client: KubeClient, name: str) -> str:
    """The image that pods are to run."""

    async def image() -> str:
        title = f"{name}-00001-deployment"
        deployment = await client.get(resources.DEPLOYMENTS, title, "default")
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    return str(await until(image))


async def revision(client: KubeClient, name: str) -> Object:
    return await client.get(sources.REVISIONS.resource, f"{name}-00001", "default")


async def healthy(client: KubeClient, name: str, reason: str) -> str:
    """The message of ContainerHealthy, once it has this reason."""

    async def message() -> str:
        conditions = Conditions.of(await revision(client, name))
        told = conditions.message("ContainerHealthy")
        return told if conditions.reason("ContainerHealthy") == reason else ""

    return str(await until(message))


async def test_pods_run_what_the_tag_stood_for(
    client: KubeClient, image_registry: Registry, static_layout: TestImage
) -> None:
    await make(client, "app", f"{image_registry.host}/app:1")
    by_digest = f"{image_registry.host}/app@{static_layout.digest}"
    assert await deployed(client, "app") == by_digest

    async def told() -> bool:
        statuses = (await revision(client, "app")).get("status", {}).get("containerStatuses")
        return bool(statuses == [{"name": "user", "imageDigest": by_digest}])

    await until(told)
    # Whoever deletes the Deployment gets the same one again, whatever the tag means by then.
    image_registry.push(static_layout, "app:2")
    await client.delete(resources.DEPLOYMENTS, "app-00001-deployment", "default")
    assert await deployed(client, "app") == by_digest


async def test_an_image_that_is_pushed_later_is_found(
    client: KubeClient, image_registry: Registry, static_layout: TestImage
) -> None:
    image = f"{image_registry.host}/late:1"
    await make(client, "late", image)
    url = f"http://{image_registry.host}/v2/late/manifests/1"
    assert await healthy(client, "late", "ContainerMissing") == (
        f'Unable to fetch image "{image}": failed to resolve image to digest: HEAD {url}: '
        "unexpected status code 404 Not Found "
        "(HEAD responses have no body, use GET for details)"
    )
    with pytest.raises(NotFound):
        await client.get(resources.DEPLOYMENTS, "late-00001-deployment", "default")
    image_registry.push(static_layout, "late:1")
    assert (await deployed(client, "late")).endswith(static_layout.digest)

    async def is_well() -> bool:
        return not Conditions.of(await revision(client, "late")).is_false("ContainerHealthy")

    await until(is_well)


async def test_a_registry_is_asked_by_the_pull_secrets_of_the_service_account(
    client: KubeClient, locked_registry: Registry, static_layout: TestImage
) -> None:
    await make(client, "locked", f"{locked_registry.host}/app:1")
    assert "401 Unauthorized" in await healthy(client, "locked", "ContainerMissing")
    login = {"username": USER, "password": PASSWORD}
    config = json.dumps({"auths": {locked_registry.host: login}}).encode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pull", "namespace": "default"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(config).decode()},
    }
    await client.create(resources.SECRETS, secret)
    named = {"imagePullSecrets": [{"name": "missing"}, {"name": "pull"}]}
    await client.patch(resources.SERVICEACCOUNTS, "default", "default", named)
    assert (await deployed(client, "locked")).endswith(static_layout.digest)


async def test_docker_s_logins_are_tried_too(
    client: KubeClient, locked_registry: Registry, static_layout: TestImage, tmp_path: Path
) -> None:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    known = {"auths": {locked_registry.host: {"auth": auth}}}
    (tmp_path / "config.json").write_text(json.dumps(known))
    await make(client, "mine", f"{locked_registry.host}/app:1")
    assert (await deployed(client, "mine")).endswith(static_layout.digest)


async def test_a_registry_that_says_nothing_blocks_no_revision(client: KubeClient) -> None:
    image = f"127.0.0.1:{free_port()}/app:1"
    await make(client, "away", image)
    assert await deployed(client, "away") == image
    told = await healthy(client, "away", "ResolvingDigests")
    assert told.startswith(f'Unable to fetch image "{image}": failed to resolve image to digest: ')
    assert "connection refused" in told


@pytest.mark.parametrize("image", ["dev.local/app:1", f"dev.local/app@sha256:{'a' * 64}"])
async def test_a_registry_to_be_skipped_and_a_digest_are_not_asked_about(
    client: KubeClient, image: str
) -> None:
    await make(client, "own", image)
    assert await deployed(client, "own") == image


async def test_a_registry_is_believed_by_an_authority_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port, digest = socket.gethostname(), free_port(), f"sha256:{'a' * 64}"
    with contextlib.suppress(OSError):
        socket.gethostbyname(host)
        reference = parse_reference(f"{host}:{port}/app:1")
        now = datetime.datetime.now(datetime.UTC)
        authority = new_authority("test", [host], now)
        pair = issued(authority, [host], now)
        for name, content in (("ca", authority.chain), ("crt", pair.chain), ("key", pair.key)):
            (tmp_path / name).write_bytes(content)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "crt", tmp_path / "key")

        async def answer(_: web.Request) -> web.Response:
            return web.Response(headers={"Docker-Content-Digest": digest})

        app = web.Application()
        app.router.add_route("HEAD", "/v2/app/manifests/1", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, host, port, ssl_context=context).start()
        try:
            async with registries() as http:
                with pytest.raises(Unreachable, match="failed to verify certificate"):
                    await Repository(http, reference).digest("1")
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca"))
            async with registries() as http:
                assert await Repository(http, reference).digest("1") == digest
        finally:
            await runner.cleanup()
        return
    pytest.skip("this machine's own name leads nowhere")
