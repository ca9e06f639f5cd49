"""The HTTPS server that admission webhooks are asked at, and what API servers are told of it.

Used by ``hearth.kube.registration``, which keeps the certificates and the configurations current.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from hearth.kube.admission import Handler, make_app
from hearth.kube.meta import Object
from hearth.kube.resources import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Resource

_KEEP_ALIVE_SECONDS = 120
"""Longer than kube-apiserver keeps a connection on which nothing goes on (90 s). Who closes first
must be the one that asks: it may be asking at that moment, and would take it for a refusal."""
_DRAIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Service:
    """The Service by which an API server reaches the webhooks of all replicas."""

    namespace: str
    name: str
    secret: str
    """Name of the Secret, beside it, that holds the certificates."""
    port: int = 443

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that certificates are for; API servers use the first."""
        qualified = f"{self.name}.{self.namespace}"
        return f"{qualified}.svc", qualified, self.name


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where webhooks are served; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0
    service: Service | None = None
    """None where the API server reaches the address that is listened on."""
    kept: Path | None = None
    """The file in which certificates outlive the process, where there is no Service: what the API
    server was told then holds for the next one."""
    drain_delay_seconds: float = 0.0
    """How long is listened on at the end, till nobody is sent here any more."""
    trusted_user: str = ""
    """Whose writes are not asked about: our own, made of what was asked about; "" is nobody's."""


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
    reinvoked: bool = False
    """Whether it is asked again when a later webhook has changed the object."""
    asked_about_own: bool = False
    """Whether it is asked about what a trusted user writes, too."""

    @property
    def resource(self) -> Resource:
        """The kind of its configuration."""
        return MUTATING_WEBHOOKS if self.mutating else VALIDATING_WEBHOOKS


def writes_rule(group: str, versions: Sequence[str], resources: Sequence[str]) -> Object:
    """Creations and updates of some resources."""
    return {
        "apiGroups": [group],
        "apiVersions": list(versions),
        "operations": ["CREATE", "UPDATE"],
        "resources": list(resources),
        "scope": "*",
    }


def configuration(webhook: Webhook, client_config: Object, *, trusted_user: str = "") -> Object:
    """Return the webhook configuration that sends requests there, except a trusted user's."""
    resource = webhook.resource
    hook: Object = {
        "name": webhook.name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": client_config,
        "failurePolicy": webhook.failure_policy,
        "matchPolicy": "Equivalent",
        "rules": [dict(rule) for rule in webhook.rules],
        "sideEffects": "None",
        "timeoutSeconds": 10,
        **({"reinvocationPolicy": "IfNeeded"} if webhook.reinvoked else {}),
        **webhook.selectors,
    }
    if trusted_user and not webhook.asked_about_own:
        hook["matchConditions"] = [
            {"name": "of-others", "expression": f"request.userInfo.username != '{trusted_user}'"}
        ]
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": webhook.name, "labels": dict(webhook.labels)},
        "webhooks": [hook],
    }


def corrected(known: Object, wanted: Object) -> Object | None:
    """Return a registered configuration as it should be; None where it says all that is wanted.

    What others have added stays: labels, defaults of the server, and conditions of selectors, which
    some clusters put into every webhook.
    """
    if _covers(known, {key: wanted[key] for key in ("metadata", "webhooks")}):
        return None
    labels = (known["metadata"].get("labels") or {}) | wanted["metadata"]["labels"]
    metadata = {**known["metadata"], "labels": labels}
    return {**known, "metadata": metadata, "webhooks": wanted["webhooks"]}


def _covers(known: object, wanted: object, field: str = "") -> bool:
    if isinstance(wanted, dict):
        return isinstance(known, dict) and all(
            _covers(known.get(key), value, key) for key, value in wanted.items()
        )
    if wanted == []:
        # What is empty a server may leave out.
        return not known
    if not isinstance(wanted, list) or not isinstance(known, list):
        return known == wanted
    if field == "matchExpressions":
        return all(each in known for each in wanted)
    return len(known) == len(wanted) and all(map(_covers, known, wanted))


class HttpsServer:
    """Serves handlers by path on a listener of its own."""

    def __init__(
        self, handlers: Mapping[str, Handler], context: ssl.SSLContext, endpoint: Endpoint
    ) -> None:
        self._listener = socket.create_server(
            (endpoint.host, endpoint.port), family=_family(endpoint.host)
        )
        # Connections inherit it; uvloop sets it anyway, asyncio's own loop does not.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        settings = uvicorn.Config(
            make_app(handlers),
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            ssl_context_factory=lambda *_: context,
        )
        self._server = _Server(settings)
        shown = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        self.url = f"https://{shown}:{self._listener.getsockname()[1]}"

    async def start(self) -> None:
        """Return once connections are accepted."""
        serving = self._server.serve(sockets=[self._listener])
        self._task = asyncio.create_task(serving, name="webhook-server")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError("the webhook server ended while starting")
            await asyncio.sleep(0.002)

    async def stop(self) -> None:
        """Accept nothing more, and return when everything was answered."""
        self._server.should_exit = True
        await self._task


class _Server(uvicorn.Server):
    """Leaves signals to the process it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
