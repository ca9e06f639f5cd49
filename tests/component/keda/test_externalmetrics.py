"""What HPAs ask about triggers: over TLS, for the API server's front alone."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hearth.keda.api import keys
from hearth.keda.operator.aggregation import APISERVICES, FRONT, HOSTS, SERVICE, keep_renewed
from hearth.keda.operator.externalmetrics import show
from hearth.kube.certificates import AUTHORITIES, renewed
from hearth.kube.clock import wall_clock
from hearth.kube.errors import NotFound, Unavailable
from hearth.kube.resources import CONFIGMAPS, ENDPOINTSLICES
from tests.component.keda.operator import NS, Keda, cluster

ROOT = "/apis/external.metrics.k8s.io/v1beta1"


@dataclass
class Front:
    """An authority, and the API server's client certificate by it."""

    authority: str
    files: Path

    def context(self, trusted: str, shown: str = "front") -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=trusted)
        if shown:
            context.load_cert_chain(self.files / f"{shown}.pem", self.files / f"{shown}.key")
        return context


def _certificate(subject: str, issuer: Any, key: Any, by: Any, *, is_authority: bool) -> Any:
    now = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
    day = datetime.timedelta(days=1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer or name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(by, hashes.SHA256())
    )


def make_front(folder: Path) -> Front:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("front", None, authority_key, authority_key, is_authority=True)
    pem = serialization.Encoding.PEM
    for file, subject in (("front", "front-proxy-client"), ("other", "somebody")):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(subject, authority.subject, key, authority_key, is_authority=False)
        (folder / f"{file}.pem").write_bytes(made.public_bytes(pem))
        private = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{file}.key").write_bytes(private)
    return Front(authority.public_bytes(pem).decode(), folder)


@contextlib.asynccontextmanager
async def aggregating(folder: Path) -> AsyncIterator[tuple[Keda, Front]]:
    """A cluster whose API server aggregates other APIs."""
    async with cluster(folder) as keda:
        front = make_front(folder)
        data = {
            "requestheader-client-ca-file": front.authority,
            "requestheader-allowed-names": '["front-proxy-client"]',
        }
        where = {"name": FRONT[1], "namespace": FRONT[0]}
        with contextlib.suppress(NotFound):
            await keda.client.delete(CONFIGMAPS, FRONT[1], FRONT[0])
        told = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": where, "data": data}
        await keda.client.create(CONFIGMAPS, told)
        yield keda, front


async def published(keda: Keda) -> tuple[str, str]:
    """Where the API is, and whom to trust there."""
    slice_ = await keda.client.get(ENDPOINTSLICES, SERVICE, keys.NAMESPACE)
    api = await keda.client.get(APISERVICES, "v1beta1.external.metrics.k8s.io")
    authority = base64.b64decode(api["spec"]["caBundle"]).decode()
    assert slice_["endpoints"][0]["addresses"] == ["127.0.0.1"]
    return f"https://127.0.0.1:{slice_['ports'][0]['port']}", authority


async def test_an_hpa_learns_what_a_trigger_says(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (keda, front), keda.operator():
        url, authority = await published(keda)
        await keda.deployment(replicas=1)
        await keda.work("work-0", "work-1", "work-2")
        await keda.scaledobject()
        await keda.said("Active", "True")
        host = f"{SERVICE}.{keys.NAMESPACE}.svc"
        context = front.context(authority)

        async def ask(path: str, **query: str) -> tuple[int, Any]:
            async with (
                aiohttp.ClientSession() as session,
                session.get(url + path, params=query, ssl=context, server_hostname=host) as got,
            ):
                return got.status, await got.json()

        status, served = await ask(ROOT)
        assert (status, served["kind"]) == (200, "APIResourceList")
        path, owner = f"{ROOT}/namespaces/{NS}/s0-workload-default", "scaledobject.keda.sh/name=web"
        status, told = await ask(path, labelSelector=owner)
        assert (status, told["kind"]) == (200, "ExternalMetricValueList")
        (item,) = told["items"]
        assert (item["metricName"], item["value"]) == ("s0-workload-default", "3")
        shouted = f"{ROOT}/namespaces/{NS}/S0-Workload-Default"
        # Kubernetes' HPA controller asks in lower case, whatever a name is.
        assert (await ask(shouted, labelSelector=owner))[1]["items"][0]["value"] == "3"
        assert (await ask(path))[0] == 400
        assert (await ask(path, labelSelector="scaledobject.keda.sh/name=no"))[0] == 404
        assert (await ask(f"{ROOT}/namespaces/{NS}/s1-x", labelSelector=owner))[0] == 404


async def test_a_formula_is_asked_for_by_its_one_name(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (keda, front), keda.operator():
        url, authority = await published(keda)
        await keda.deployment(replicas=1)
        await keda.work("work-0", "work-1", "work-2")
        modifiers = {"formula": "work * 2.5", "target": "2"}
        await keda.scaledobject(advanced={"scalingModifiers": modifiers})
        await keda.said("Active", "True")
        path = f"{ROOT}/namespaces/{NS}/composite-metric"
        query = {"labelSelector": "scaledobject.keda.sh/name=web"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                url + path,
                params=query,
                ssl=front.context(authority),
                server_hostname=f"{SERVICE}.{keys.NAMESPACE}.svc",
            ) as got,
        ):
            told = await got.json()
        assert told["items"][0]["value"] == "7500m"


@pytest.mark.parametrize("shown", ["", "other"])
async def test_nobody_else_is_answered(tmp_path: Path, shown: str) -> None:
    async with aggregating(tmp_path) as (keda, front), keda.operator():
        url, authority = await published(keda)
        context = front.context(authority, shown)
        host = f"{SERVICE}.{keys.NAMESPACE}.svc"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url + ROOT, ssl=context, server_hostname=host) as got,
        ):
            assert got.status == 403


def shown_by(context: ssl.SSLContext) -> bytes:
    """The certificate that a client is shown now (DER)."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    out, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = asking.wrap_bio(back, out), context.wrap_bio(out, back, server_side=True)
    for _ in range(3):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return client.getpeercert(binary_form=True) or b""


async def test_a_certificate_is_renewed_once_those_who_ask_trust_the_next_one() -> None:
    made_at = wall_clock()
    files = renewed({}, HOSTS, datetime.datetime.fromtimestamp(made_at, tz=datetime.UTC))
    assert files is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    show(context, files)
    first, told = shown_by(context), []

    async def say(authorities: bytes) -> None:
        told.append((authorities, shown_by(context)))
        if len(told) == 1:
            raise Unavailable({"message": "away"})

    later = made_at + 80 * 86_400
    keeping = asyncio.create_task(keep_renewed(context, files, say, lambda: later, pause=0.001))
    async with asyncio.timeout(60):
        while shown_by(context) == first:
            await asyncio.sleep(0.001)
    keeping.cancel()
    await asyncio.wait({keeping})
    assert told == [(files[AUTHORITIES], first)] * 2
