"""The live page of a cluster, served from here with the rights of a kubeconfig.

A reader's page asks with a token of the ServiceAccount ``hearth-page-reader``, which may look and
nothing else: what the page is refused is then the cluster's to say.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import yaml

from hearth.cli.access import access
from hearth.cli.asking import TOKEN_FIELD
from hearth.cli.components import SERVING
from hearth.cli.errors import UserError
from hearth.cli.eventadmin import THERE, admin_token
from hearth.cli.page.showing import address, show
from hearth.cli.pagehere import TEXTS, me
from hearth.cli.scaleadmin import explanations_there
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import name
from hearth.kube.resources import PODS
from hearth.ui.main import PageConfig, run
from hearth.ui.neighbours import CannotAsk, Json, Neighbours
from hearth.ui.sessions import SESSION_SECONDS, Role, Sessions

READER = "hearth-page-reader"
_ACTIVATORS = "app.kubernetes.io/name=hearth-activator"
_METRICS_PORT = 9090


def serve(kubeconfig: Path, role: Role, *, browser: bool) -> None:
    """Serve the page of a cluster until interrupted; raise UserError."""
    api = access(kubeconfig)
    try:
        asyncio.run(_serve(api, role, f"cluster: {_context(kubeconfig)}", browser=browser))
    except ApiError as error:
        raise UserError(error.message) from error


def _context(kubeconfig: Path) -> str:
    return str((yaml.safe_load(kubeconfig.read_text()) or {}).get("current-context") or kubeconfig)


async def _serve(api: Access, role: Role, place: str, *, browser: bool) -> None:
    reader = api if role is Role.WRITER else await _reader(api)
    with socket.create_server(("127.0.0.1", 0)) as held:
        secret, port = secrets.token_urlsafe(24), held.getsockname()[1]
        config = PageConfig(
            held,
            secret=secret,
            reader=reader,
            writer=api if role is Role.WRITER else None,
            neighbours=lambda client: _there(There(client, reader, is_reader=reader is not api)),
            me=me(place, ""),
            texts=TEXTS,
        )

        def ready() -> None:
            show(address(Sessions(secret), role, port), browser=browser)
            print("Ctrl-C ends the page.", flush=True)

        await run(config, ready)


async def _reader(api: Access) -> Access:
    """Return how one reaches the cluster who may look and nothing else."""
    path = f"/api/v1/namespaces/{SERVING}/serviceaccounts/{READER}/token"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": SESSION_SECONDS},
    }
    async with KubeClient(api) as client:
        try:
            token = (await client.request("POST", path, body=body))["status"]["token"]
        except NotFound as error:
            raise UserError(
                f"there is no ServiceAccount {SERVING}/{READER} in this cluster, which readers' "
                "pages ask with: `hearth install` makes it"
            ) from error
    return replace(api, token=token, authorization=None, client_certificate=None)


@asynccontextmanager
async def _there(neighbours: Neighbours) -> AsyncIterator[Neighbours]:
    yield neighbours


class There(Neighbours):
    """The processes of a cluster, reached through its API server."""

    def __init__(self, client: KubeClient, api: Access, *, is_reader: bool) -> None:
        """A reader shows the broker its own token, others the administrator's."""
        self._client = client
        self._api = api
        self._own = api.token or "" if is_reader else ""
        self._token = self._own

    async def readings(self) -> Mapping[str, str]:
        """As the protocol has it; so are the others."""
        try:
            pods, _ = await self._client.list(PODS, SERVING, label_selector=_ACTIVATORS)
            names = [name(pod) for pod in pods]
            texts = await asyncio.gather(*map(self._reading, names))
        except ApiError as error:
            raise CannotAsk(f"rates of requests are not known: {error.message}") from error
        if not names:
            raise CannotAsk("rates of requests are not known: no activator of Hearth runs here")
        return dict(zip(names, texts, strict=True))

    async def _reading(self, pod: str) -> str:
        path = f"/api/v1/namespaces/{SERVING}/pods/{pod}:{_METRICS_PORT}/proxy/metrics"
        limit = aiohttp.ClientTimeout(total=10.0)
        lines = [line async for line in self._client.stream_lines(path, {}, timeout=limit)]
        return b"\n".join(lines).decode(errors="replace")

    async def broker(self, method: str, target: str, body: Json | None = None) -> Json:
        """Through the API server, which hands it on to the pod."""
        try:
            self._token = self._token or await admin_token(self._client, self._api)
            fields = {TOKEN_FIELD: self._token}
            return await self._client.request(method, f"{THERE}{target}", body=body, fields=fields)
        except UserError as error:
            raise CannotAsk(str(error)) from error
        except ApiError as error:
            self._token = self._own  # the administrator's may be another one by now
            raise CannotAsk(f"the broker gives no answer: {error.message}") from error

    async def explanations(self, namespace: str, name: str) -> Sequence[Json]:
        """As ``hearth scale explain`` is told."""
        try:
            return await explanations_there(self._api, namespace=namespace, service=name)
        except UserError as error:
            raise CannotAsk(str(error)) from error
