"""The API ``external.metrics.k8s.io/v1beta1``: what HorizontalPodAutoscalers ask about triggers.

Served to an API server's aggregation alone: who asks has to show the client certificate that the
ConfigMap ``extension-apiserver-authentication`` speaks of. What users may ask, the API server has
decided by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from hearth.keda.api.keys import OWNER_LABEL
from hearth.keda.scaling.hpa import quantity
from hearth.keda.scaling.observing import Metric
from hearth.kube.certificates import CERTIFICATE, KEY, Files
from hearth.kube.clock import Clock, rfc3339

log = logging.getLogger(__name__)

GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"
_ROOT = f"/apis/{GROUP}/{VERSION}"
_API_VERSION = f"{GROUP}/{VERSION}"
_MOST_BYTES = 4096
"""Nobody sends a body here."""

Ask = Callable[[str, str, str], Awaitable[Metric | None]]
"""Namespace, name of a ScaledObject, and metric; None where there is none. Raises LookupError."""


@dataclass(frozen=True, slots=True)
class Front:
    """Who may ask: certificates of these authorities, with these names (none: any)."""

    authorities: str
    names: Collection[str] = ()


def make_app(ask: Ask, front: Callable[[], Front | None], clock: Clock) -> web.Application:
    """Make the application; without a front nobody may ask."""

    @web.middleware
    async def only_the_front(request: web.Request, handler: Any) -> web.StreamResponse:
        told = front()
        if told is None or not _is_front(request, told):
            return _failed(403, "Forbidden", "only the API server's aggregation is answered")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def metric(request: web.Request) -> web.Response:
        return await _answer(request, ask, clock)

    app = web.Application(middlewares=[only_the_front], client_max_size=_MOST_BYTES)
    for path, told in (("/apis", _GROUPS), (f"/apis/{GROUP}", _GROUP), (_ROOT, _RESOURCES)):
        app.router.add_get(path, _saying(told))
    app.router.add_get(f"{_ROOT}/namespaces/{{namespace}}/{{metric}}", metric)
    return app


def _saying(told: Any) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def say(_: web.Request) -> web.Response:
        return _json(told)

    return say


def _is_front(request: web.Request, front: Front) -> bool:
    shown: dict[str, Any] | None = request.get_extra_info("peercert")
    if not shown:
        return False
    names = {
        value for part in shown.get("subject", ()) for kind, value in part if kind == "commonName"
    }
    return not front.names or bool(names & set(front.names))


async def _answer(request: web.Request, ask: Ask, clock: Clock) -> web.Response:
    namespace, name = request.match_info["namespace"], request.match_info["metric"]
    owner = _owner(request.query.get("labelSelector", ""))
    if not owner:
        text = f"scaledObject name is not specified: the label selector has to name {OWNER_LABEL}"
        return _failed(400, "BadRequest", text)
    try:
        metric = await ask(namespace, owner, name)
    except LookupError:
        text = f"scaledobjects.keda.sh {namespace}/{owner} is not being scaled here"
        return _failed(404, "NotFound", text)
    if metric is None:
        return _failed(404, "NotFound", f"no matching metrics found for {name}")
    if metric.value is None:
        text = f"metric:{name} encountered error: {metric.error or 'its value is not known'}"
        return _failed(500, "InternalError", text)
    item = {
        "metricName": metric.spec.name,
        "metricLabels": None,
        "timestamp": rfc3339(clock()),
        "value": quantity(metric.value),
    }
    return _json(
        {
            "kind": "ExternalMetricValueList",
            "apiVersion": _API_VERSION,
            "metadata": {},
            "items": [item],
        }
    )


def _owner(selector: str) -> str:
    """The ScaledObject that an HPA's selector names."""
    for part in selector.split(","):
        label, _, value = part.partition("=")
        if label.strip() == OWNER_LABEL:
            return value.removeprefix("=").strip()
    return ""


def _json(told: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(told), status=status, content_type="application/json")


def _failed(code: int, reason: str, message: str) -> web.Response:
    told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return _json(told | {"message": message, "reason": reason, "code": code}, code)


_GROUP = {
    "kind": "APIGroup",
    "apiVersion": "v1",
    "name": GROUP,
    "versions": [{"groupVersion": _API_VERSION, "version": VERSION}],
    "preferredVersion": {"groupVersion": _API_VERSION, "version": VERSION},
}
_GROUPS = {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_GROUP]}
_RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": _API_VERSION,
    "resources": [
        {
            "name": "externalmetrics",
            "singularName": "",
            "namespaced": True,
            "kind": "ExternalMetricValueList",
            "verbs": ["get"],
        }
    ],
}


def tls_context(files: Files, front: Front) -> ssl.SSLContext:
    """Return a server's context that asks for a certificate of the front's authorities."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    show(context, files)
    context.load_verify_locations(cadata=front.authorities)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def show(context: ssl.SSLContext, files: Files) -> None:
    """Have connections that come show this certificate."""
    with tempfile.TemporaryDirectory() as folder:
        shown, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
        shown.write_bytes(files[CERTIFICATE])
        key.touch(mode=0o600)
        key.write_bytes(files[KEY])
        context.load_cert_chain(shown, key)


@contextlib.asynccontextmanager
async def serving(
    app: web.Application, context: ssl.SSLContext, host: str, port: int
) -> AsyncIterator[int]:
    """Serve as long as the context lasts; yields the port."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=context)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await asyncio.shield(runner.cleanup())
