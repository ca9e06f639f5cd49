"""Runs the API server: store, kinds, in-process controllers, HTTPS. Started by the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from hearth.allocator import map_large_blocks
from hearth.cluster.admission.following import find_endpoint, following
from hearth.cluster.apiserver.credentials import Credentials, ensure_credentials, load_key
from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.lifecycle.admit import ServerAdmission
from hearth.cluster.lifecycle.apiservices import ApiServiceController
from hearth.cluster.lifecycle.customresources import DefinitionController
from hearth.cluster.lifecycle.firsts import telling
from hearth.cluster.lifecycle.gc import GarbageCollector
from hearth.cluster.lifecycle.housekeeping import compact_regularly, expire_events, pack_regularly
from hearth.cluster.lifecycle.namespaces import NamespaceController
from hearth.cluster.lifecycle.quotas import Quotas
from hearth.cluster.model.clusterips import API_ADDRESS
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.served import ServedKinds
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.auth import Authenticator, Signer
from hearth.cluster.operations.sending import Sender
from hearth.cluster.rest.connections import Connection
from hearth.cluster.rest.handlers.reviews import review_kinds
from hearth.cluster.rest.http import App
from hearth.cluster.rest.usage import metrics_kinds
from hearth.cluster.store.store import Store
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.guards import keep_running

_log = logging.getLogger(__name__)
_HOSTS = ("localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default")
_IN_CLUSTER = ("kubernetes.default.svc", "kubernetes.default.svc.cluster.local", API_ADDRESS)
_KEEP_ALIVE_SECONDS = 120
_DRAIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class ApiServerConfig:
    """Where the state is and where to listen.

    ``allowed_hosts`` are further names for the Host header, of a server that is reached under
    another name.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 6443
    allowed_hosts: tuple[str, ...] = ()
    compaction_seconds: float = 300.0
    event_lifetime_seconds: float = 3600.0
    kinds: Sequence[Kind] = KINDS
    """The built-in kinds that are served, besides those of objects that are not stored."""
    first: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    """What is called once there is an object of a resource (``PLURAL.GROUP``)."""


async def run(config: ApiServerConfig, ready: Callable[[], None]) -> None:
    """Serves until cancelled; calls ``ready`` once requests are answered."""
    map_large_blocks()
    async with serving(config):
        ready()
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def serving(config: ApiServerConfig, *, clock: Clock = wall_clock) -> AsyncIterator[Api]:
    """A server that answers inside the block; a port of 0 is chosen by the system."""
    async with contextlib.AsyncExitStack() as stack:
        # The folder first: what another server uses is not touched.
        store = Store(config.data_dir / "apiserver", clock)
        stack.push_async_callback(store.close)
        listener = _listen(config.host, config.port)
        stack.callback(listener.close)
        port = listener.getsockname()[1]
        credentials = ensure_credentials(config.data_dir, config.host, port)
        api = make_api(config, store, credentials, address=f"{config.host}:{port}", clock=clock)
        webhooks = await stack.enter_async_context(following(store, api.kinds, api.new_uid))
        quotas = Quotas(api)
        stack.callback(quotas.prepare())
        api.admission = ServerAdmission(api, webhooks, quotas)
        api.sender = _sender(store, credentials)
        stack.push_async_callback(api.sender.close)
        stack.enter_context(telling(store, config.first))
        await stack.enter_async_context(controllers(api, config, credentials, quotas))
        await stack.enter_async_context(_http(api, config, credentials, listener=listener))
        yield api


def make_api(
    config: ApiServerConfig, store: Store, credentials: Credentials, *, address: str, clock: Clock
) -> Api:
    """Puts the parts of a server together; admission lets everything pass until it is set."""
    signer = Signer(load_key(credentials.signing_key_path))
    authenticator = Authenticator(
        admin_token=credentials.admin_token,
        component_tokens=credentials.component_tokens,
        signer=signer,
        state=store.state,
        clock=clock,
    )
    return Api(
        data_dir=config.data_dir,
        address=address,
        store=store,
        kinds=ServedKinds([*config.kinds, *review_kinds(), *metrics_kinds()]),
        authenticator=authenticator,
        signer=signer,
        clock=clock,
    )


def _sender(store: Store, credentials: Credentials) -> Sender:
    return Sender(
        lambda namespace, name, port: find_endpoint(
            store, namespace, name, port=port, external=False
        ),
        credentials.front_proxy_cert_path,
        credentials.front_proxy_key_path,
    )


@contextlib.asynccontextmanager
async def controllers(
    api: Api, config: ApiServerConfig, credentials: Credentials, quotas: Quotas
) -> AsyncIterator[None]:
    """The controllers inside the server, at work from before the first request."""
    ca_certificate = (config.data_dir / "pki" / "ca.crt").read_text()
    namespaces = NamespaceController(api, ca_certificate)
    await namespaces.prepare()
    definitions = DefinitionController(api)
    definitions.prepare()
    assert api.sender is not None
    api_services = ApiServiceController(api, api.sender, credentials.front_proxy_ca_path)
    await api_services.prepare()
    running: dict[str, Callable[[], Awaitable[None]]] = {
        "custom-resources": definitions.run,
        "namespaces": namespaces.run,
        "apiservices": api_services.run,
        "resource-quotas": quotas.run,
        "garbage-collector": GarbageCollector(api).run,
        "packing": lambda: pack_regularly(api.store),
        "compaction": lambda: compact_regularly(api, keep_seconds=config.compaction_seconds),
        "events": lambda: expire_events(api, lifetime_seconds=config.event_lifetime_seconds),
    }
    tasks = [
        asyncio.create_task(keep_running(name, run), name=f"apiserver-{name}")
        for name, run in running.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it; uvloop sets it anyway, asyncio's own loop does not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        message = f"the API server cannot listen on {host} port {port}: {error.strerror}"
        raise OSError(error.errno, message) from error
    listener.listen(1024)
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    """Leaves signals to the process it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _tls(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(credentials.server_cert_path, credentials.server_key_path)
    context.set_alpn_protocols(["http/1.1"])
    return context


@contextlib.asynccontextmanager
async def _http(
    api: Api, config: ApiServerConfig, credentials: Credentials, *, listener: socket.socket
) -> AsyncIterator[None]:
    """Answers over TLS on the listener, and without it on the socket of this machine's owner."""
    hosts = frozenset({*_HOSTS, *_IN_CLUSTER, config.host, *config.allowed_hosts})
    app = App(api, hosts)
    ways: list[tuple[uvicorn.Config, list[socket.socket] | None]] = [
        (_settings(app, ssl_context_factory=lambda *_: _tls(credentials)), [listener])
    ]
    if credentials.socket_path is not None:
        ways.append((_settings(app, uds=str(credentials.socket_path)), None))
    servers = [_Server(settings) for settings, _ in ways]
    tasks = [
        asyncio.create_task(server.serve(sockets=sockets), name="apiserver-http")
        for server, (_, sockets) in zip(servers, ways, strict=True)
    ]
    try:
        for server, task in zip(servers, tasks, strict=True):
            await _started(server, task)
        if credentials.socket_path is not None:
            credentials.socket_path.chmod(
                0o600
            )  # uvicorn opens it to all; its folder is ours alone
        yield
    finally:
        api.stopping = True
        api.watchers.close_all()
        for close in list(api.closers):
            close()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


def _settings(app: App, **where: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="error",
        server_header=False,
        proxy_headers=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        **where,
    )


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started:
        if task.done():
            await task
            raise RuntimeError("the HTTP server ended while starting")
        await asyncio.sleep(0.002)
