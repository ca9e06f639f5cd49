"""How API servers learn of ``external.metrics.k8s.io`` here: a Service, its address, an APIService.

The Service has no selector: who leads writes its own address, so that on a cluster, too, only the
process that reads triggers is asked. Certificates are made in the process, and renewed in time.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ipaddress
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from hearth.keda.api.keys import NAMESPACE
from hearth.keda.operator.externalmetrics import (
    GROUP,
    VERSION,
    Ask,
    Front,
    make_app,
    serving,
    show,
    tls_context,
)
from hearth.keda.scaling.hpa import is_within
from hearth.kube.cache import WatchCache
from hearth.kube.certificates import AUTHORITIES, Files, renewed
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock
from hearth.kube.errors import AlreadyExists, ApiError, NotFound
from hearth.kube.guards import beside
from hearth.kube.meta import Object, name
from hearth.kube.resources import CONFIGMAPS, ENDPOINTSLICES, SERVICES, Resource

log = logging.getLogger(__name__)

APISERVICES = Resource(
    "apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False
)
SERVICE = "keda-operator-metrics-apiserver"
HOSTS = (f"{SERVICE}.{NAMESPACE}.svc", f"{SERVICE}.{NAMESPACE}", SERVICE)
FRONT = ("kube-system", "extension-apiserver-authentication")
_LABELS = {"app.kubernetes.io/name": SERVICE, "app.kubernetes.io/part-of": "keda-operator"}
_PORT = 443
_LOOK_SECONDS = 3600.0


def front_of(config_map: Object) -> Front | None:
    """Return who may ask, as the API server tells; None where it does not tell."""
    data: dict[str, str] = config_map.get("data") or {}
    authorities = data.get("requestheader-client-ca-file", "")
    try:
        names = json.loads(data.get("requestheader-allowed-names") or "[]")
    except ValueError:
        return None
    if not authorities or not isinstance(names, list):
        return None
    return Front(authorities, tuple(map(str, names)))


def objects(host: str, port: int, authority: bytes) -> list[tuple[Resource, Object]]:
    """Make what is written, in the order in which it is."""
    family = "IPv6" if ipaddress.ip_address(host).version == 6 else "IPv4"
    here = {"name": SERVICE, "namespace": NAMESPACE}
    ports: dict[str, Any] = {"name": "https", "protocol": "TCP"}
    return [
        (
            SERVICES,
            _object(SERVICES, here, spec={"ports": [ports | {"port": _PORT, "targetPort": port}]}),
        ),
        (
            ENDPOINTSLICES,
            _object(
                ENDPOINTSLICES,
                here,
                {"kubernetes.io/service-name": SERVICE},
                addressType=family,
                endpoints=[{"addresses": [host], "conditions": {"ready": True}}],
                ports=[ports | {"port": port}],
            ),
        ),
        (
            APISERVICES,
            _object(
                APISERVICES,
                {"name": f"{VERSION}.{GROUP}"},
                spec={
                    "service": here | {"port": _PORT},
                    "group": GROUP,
                    "version": VERSION,
                    "caBundle": base64.b64encode(authority).decode(),
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                },
            ),
        ),
    ]


def _object(
    resource: Resource,
    metadata: dict[str, Any],
    labels: dict[str, str] | None = None,
    **rest: Any,
) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata | {"labels": _LABELS | (labels or {})},
        **rest,
    }


async def publish(client: KubeClient, host: str, port: int, authority: bytes) -> None:
    """Write what is not there or is not as it should be; raise ApiError."""
    for resource, wanted in objects(host, port, authority):
        where = wanted["metadata"].get("namespace")
        try:
            found = await client.get(resource, name(wanted), where)
        except NotFound:
            with contextlib.suppress(AlreadyExists):
                await client.create(resource, wanted)
            continue
        if not is_within(wanted, found):
            await client.patch(resource, name(wanted), where, wanted)


@contextlib.asynccontextmanager
async def aggregated(
    client: KubeClient, ask: Ask, *, listen: tuple[str, int], address: str, clock: Clock
) -> AsyncIterator[None]:
    """Be the API for as long as the context lasts."""
    cache = WatchCache(
        client, CONFIGMAPS, namespace=FRONT[0], field_selector=f"metadata.name={FRONT[1]}"
    )
    async with beside("watch-front", cache.run):
        await cache.synced()
        front = front_of(cache.get(*FRONT) or {})
        if front is None:
            text = "external metrics are not served: the API server aggregates no other APIs"
            log.warning(text, extra={"config_map": "/".join(FRONT)})
            yield
            return
        files = _renewed({}, clock)
        assert files is not None
        context = tls_context(files, front)
        app = make_app(ask, lambda: front_of(cache.get(*FRONT) or {}), clock)
        async with serving(app, context, *listen) as used:
            say = partial(publish, client, address, used)
            await say(files[AUTHORITIES])
            renewing = partial(keep_renewed, context, files, say, clock)
            async with beside("metrics-certificate", renewing):
                yield


def _renewed(files: Files, clock: Clock) -> Files | None:
    return renewed(files, HOSTS, datetime.datetime.fromtimestamp(clock(), tz=datetime.UTC))


async def keep_renewed(
    context: ssl.SSLContext,
    files: Files,
    say: Callable[[bytes], Awaitable[None]],
    clock: Clock,
    *,
    pause: float = _LOOK_SECONDS,
) -> None:
    """Renew what ``context`` shows before its time is over; who asks learns whom to trust first."""
    while True:
        await asyncio.sleep(pause)
        while (changed := _renewed(files, clock)) is not None:
            try:
                await say(changed[AUTHORITIES])
            except ApiError as error:
                log.warning("the certificate of external metrics stays", extra=error.facts)
                break
            files = changed
            show(context, files)
