"""From KIngresses and Secrets to certificates shown, and what statuses say meanwhile."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest

from hearth.knative.resources import KINGRESSES, REVISIONS
from hearth.kube.certificates import Pair
from hearth.kube.errors import ApiError
from hearth.kube.resources import (
    CONFIGMAPS,
    ENDPOINTSLICES,
    NAMESPACES,
    SECRETS,
    SERVICES,
)
from hearth.observability.metrics import REGISTRY
from tests.component.activator.conftest import get_request
from tests.component.activator.secured import client_context, pair_for
from tests.component.activator.test_whole import (
    Whole,
    a_revision,
    a_service,
    a_slice,
    an_ingress,
    running_whole,
)
from tests.waiting import until

HOST = "hello.test"


def a_secret(name: str, pair: Pair, *, namespace: str = "default", **more: Any) -> dict[str, Any]:
    data = {"tls.crt": pair.chain, "tls.key": pair.key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name},
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        **more,
    }


def secured(name: str, host: str, secret: str, **spec: Any) -> dict[str, Any]:
    ingress = an_ingress(name, host, {"hello": 100})
    tls = [{"hosts": [host], "secretName": secret, "secretNamespace": "default"}]
    ingress["spec"] |= {"tls": tls, **spec}
    return ingress


async def an_app(whole: Whole, lab: Any) -> None:
    app = await lab.app()
    await whole.client.create(SERVICES, a_service("hello"))
    await whole.client.create(REVISIONS, a_revision("hello"))
    await whole.client.create(ENDPOINTSLICES, a_slice("hello", {app.port: True}))


async def get(whole: Whole, host: str, asked: str = "") -> tuple[bytes, set[str]]:
    """The status line of an answer, and the names of the certificate that was shown."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", whole.tls_port, ssl=client_context(), server_hostname=host
    )
    shown = writer.get_extra_info("peercert")["subjectAltName"]
    writer.write(get_request(asked or host, "/", "Connection: close"))
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return answer.split(b"\r\n")[0], {name for _, name in shown}


def message(ingress: dict[str, Any]) -> tuple[str, str]:
    [found] = [c for c in ingress["status"]["conditions"] if c["type"] == "NetworkConfigured"]
    return found["reason"], found["message"]


def is_listened_on(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_from_secrets_to_certificates_to_status(tmp_path: Path, lab: Any) -> None:
    async with running_whole(tmp_path) as whole:
        client = whole.client
        await an_app(whole, lab)
        await client.create(KINGRESSES, an_ingress("plain", "plain.test", {"hello": 100}))
        await whole.ingress_when("plain", "Ready", "True")
        # Nobody asked for TLS: nothing listens, and no Secret is watched.
        assert not is_listened_on(whole.tls_port)
        await client.create(KINGRESSES, secured("hello", HOST, "mine"))
        missing = "Secret default/mine: not found, or not of type kubernetes.io/tls"
        async with asyncio.timeout(60):
            while True:
                ingress = await whole.ingress_when("hello", "NetworkConfigured", "Unknown")
                if message(ingress) == ("CertificateNotServed", missing):
                    break
        # What needs no certificate is served meanwhile.
        assert (await whole.get(HOST))[0] == 200
        await client.create(SECRETS, a_secret("mine", pair_for(HOST)))
        await whole.ingress_when("hello", "Ready", "True")
        assert await get(whole, HOST) == (b"HTTP/1.1 200 OK", {HOST})
        # A new certificate is shown from the next handshake on.
        await client.update(SECRETS, a_secret("mine", pair_for(HOST, "new.test")))
        await _until_shown(whole, {HOST, "new.test"})
        # Half a change ends nothing, and is said.
        broken = a_secret("mine", Pair(b"nonsense", b"nonsense"))
        await client.update(SECRETS, broken)
        ingress = await whole.ingress_when("hello", "Ready", "False")
        assert message(ingress) == (
            "CertificateNotServed",
            "Secret default/mine: tls.crt holds no certificate in PEM",
        )
        assert await get(whole, HOST) == (b"HTTP/1.1 200 OK", {HOST, "new.test"})
        assert (await whole.ingress_when("plain", "Ready", "True"))["status"]
        await client.update(SECRETS, a_secret("mine", pair_for(HOST)))
        await whole.ingress_when("hello", "Ready", "True")
        metrics = generate_latest(REGISTRY).decode()
        assert 'hearth_activator_tls_handshakes_total{result="ok"}' in metrics
        assert "hearth_activator_tls_handshakes_pending 0.0" in metrics


async def _until_shown(whole: Whole, names: set[str]) -> None:
    async with asyncio.timeout(60):
        while (await get(whole, HOST))[1] != names:
            await asyncio.sleep(0.01)


async def test_a_default_certificate(tmp_path: Path, lab: Any) -> None:
    async with running_whole(tmp_path) as whole:
        client = whole.client
        await an_app(whole, lab)
        await client.create(KINGRESSES, an_ingress("hello", HOST, {"hello": 100}))
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "knative-serving"}}
        await client.create(NAMESPACES, space)
        await client.create(SECRETS, a_secret("all", pair_for(HOST)))
        name = {"namespace": "knative-serving", "name": "config-network"}
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name}
        data = {"default-certificate-secret": "default/all"}
        await client.create(CONFIGMAPS, settings | {"data": data})
        await until(lambda: is_listened_on(whole.tls_port))
        await _until_shown(whole, {HOST})
        assert (await get(whole, HOST))[0] == b"HTTP/1.1 200 OK"
        await client.update(SECRETS, a_secret("all", pair_for(HOST, "new.test")))
        await _until_shown(whole, {HOST, "new.test"})


async def test_tls_is_served_from_the_start_where_it_was_asked_for(
    tmp_path: Path, lab: Any
) -> None:
    """Ready means that handshakes succeed, too; the objects are there before the activator."""

    async def prepare(client: Any) -> None:
        await client.create(SECRETS, a_secret("mine", pair_for(HOST)))
        await client.create(KINGRESSES, secured("hello", HOST, "mine"))

    async with running_whole(tmp_path, prepare) as whole:
        assert await get(whole, HOST, "other.test") == (b"HTTP/1.1 404 Not Found", {HOST})


async def test_without_the_right_to_secrets(tmp_path: Path, lab: Any, monkeypatch: Any) -> None:
    """Only what asks for a certificate is concerned."""
    from hearth.cluster.model import status
    from hearth.cluster.rest import routes

    handle, is_allowed = routes.handle_resource, False

    async def guarded(api: Any, request: Any, target: Any) -> Any:
        asks = target.plural == "secrets" and "type=" in str(request.query)
        if asks and not is_allowed:
            raise status.forbidden("", "secrets", "", why="no rule allows it")
        return await handle(api, request, target)

    monkeypatch.setattr("hearth.cluster.rest.http.handle_resource", guarded)
    async with running_whole(tmp_path) as whole:
        client = whole.client
        await an_app(whole, lab)
        with contextlib.suppress(ApiError):
            await client.create(SECRETS, a_secret("mine", pair_for(HOST)))
        await client.create(KINGRESSES, secured("hello", HOST, "mine"))
        ingress = await whole.ingress_when("hello", "Ready", "False")
        assert "Secrets cannot be read" in message(ingress)[1]
        assert (await whole.get(HOST))[0] == 200
        is_allowed = True
        await whole.ingress_when("hello", "Ready", "True")
        assert (await get(whole, HOST))[0] == b"HTTP/1.1 200 OK"
