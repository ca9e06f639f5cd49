"""The HTTPS server that admission webhooks are asked at, and their registration.

Used by the main modules of serving and eventing. The certificate is made for the run of the
process and handed to the API server with the registration, so there is no secret to keep.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hearth.kube.admission import Handler, make_app
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.errors import Conflict, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Resource

_VALID = datetime.timedelta(days=3650)
_KEEP_ALIVE_SECONDS = 120
"""Longer than kube-apiserver keeps a connection on which nothing goes on (90 s). Who closes first
must be the one that asks: it may be asking at that moment, and would take it for a refusal."""
_SKEW = datetime.timedelta(hours=1)
_DRAIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class WebhookServer:
    """A running server: where it is, and the authority that vouches for it."""

    url: str
    ca_pem: bytes


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook to register, in a configuration of the same name."""

    name: str
    path: str
    rules: Sequence[Mapping[str, Any]]
    mutating: bool = False
    failure_policy: str = "Fail"
    labels: Mapping[str, str] = field(default_factory=dict)
    selectors: Mapping[str, Any] = field(default_factory=dict)
    """``namespaceSelector`` and ``objectSelector``, where not everything is asked about."""


def writes_rule(group: str, versions: Sequence[str], resources: Sequence[str]) -> Object:
    """Creations and updates of some resources."""
    return {
        "apiGroups": [group],
        "apiVersions": list(versions),
        "operations": ["CREATE", "UPDATE"],
        "resources": list(resources),
        "scope": "*",
    }


@contextlib.asynccontextmanager
async def serving(
    handlers: Mapping[str, Handler], *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[WebhookServer]:
    """Serves handlers by path until the context is left; port 0 takes a free one."""
    listener = socket.create_server((host, port), family=_family(host))
    # Connections inherit it; uvloop sets it anyway, asyncio's own loop does not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    certificate, key = make_certificate(host)
    context = _context(certificate, key)
    settings = uvicorn.Config(
        make_app(handlers),
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        ssl_context_factory=lambda *_: context,
    )
    server = _Server(settings)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="webhook-server")
    shown = f"[{host}]" if ":" in host else host
    try:
        await _started(server, task)
        yield WebhookServer(f"https://{shown}:{listener.getsockname()[1]}", certificate)
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """Leaves signals to the process it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started:
        if task.done():
            await task
            raise RuntimeError("the webhook server ended while starting")
        await asyncio.sleep(0.002)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def make_certificate(host: str) -> tuple[bytes, bytes]:
    """Return a self-signed certificate for a host and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hearth webhooks")])
    now = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads keys from files only; this one is gone as soon as it is read.
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def configuration(webhook: Webhook, server: WebhookServer) -> Object:
    """Return the webhook configuration that sends requests there."""
    resource = _resource(webhook)
    hook: Object = {
        "name": webhook.name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "url": server.url + webhook.path,
            "caBundle": base64.b64encode(server.ca_pem).decode(),
        },
        "failurePolicy": webhook.failure_policy,
        "matchPolicy": "Equivalent",
        "rules": [dict(rule) for rule in webhook.rules],
        "sideEffects": "None",
        "timeoutSeconds": 10,
        **webhook.selectors,
    }
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": webhook.name, "labels": dict(webhook.labels)},
        "webhooks": [hook],
    }


async def register(client: KubeClient, server: WebhookServer, webhooks: Sequence[Webhook]) -> None:
    """Creates the configurations, or points those there are to this server."""
    for webhook in webhooks:
        await _put(client, _resource(webhook), configuration(webhook, server))


def _resource(webhook: Webhook) -> Resource:
    return MUTATING_WEBHOOKS if webhook.mutating else VALIDATING_WEBHOOKS


async def _put(client: KubeClient, resource: Resource, configuration: Object) -> None:
    while True:
        try:
            known = await client.get(resource, configuration["metadata"]["name"])
        except NotFound:
            await client.create(resource, configuration)
            return
        labels = (known["metadata"].get("labels") or {}) | configuration["metadata"]["labels"]
        known["metadata"]["labels"] = labels
        try:
            await client.update(resource, known | {"webhooks": configuration["webhooks"]})
            return
        except Conflict:
            continue
