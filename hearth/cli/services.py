"""A Service by its name, and what is done with it as a whole: its URL, its end."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

from hearth.cli.errors import UserError
from hearth.knative.resources import KSERVICES
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import SERVICES


async def found_service(client: KubeClient, name: str, namespace: str) -> Object:
    """Return a Service; raise UserError where there is none."""
    try:
        return await client.get(KSERVICES, name, namespace)
    except NotFound as error:
        raise UserError(
            f"there is no service {name!r} in namespace {namespace!r}; `hearth status` lists the "
            "services of this machine, `hearth status --kubeconfig FILE` those of a cluster"
        ) from error


async def gateway_of(client: KubeClient) -> tuple[str | None, str]:
    """Return where a cluster's gateway is reached from outside, None for nowhere, and a remark."""
    from hearth.install.bundle import NAMESPACE  # deploying to one machine starts faster without
    from hearth.install.cluster import Cluster
    from hearth.install.progress import gateway_address

    try:
        service = await client.get(SERVICES, "hearth-gateway", NAMESPACE)
    except NotFound:
        return None, "the Service hearth-gateway is gone: `hearth install` makes it again"
    return gateway_address(service, await Cluster(client).nodes())


async def detour_to(client: KubeClient, url: str) -> str:
    """Return the cluster's gateway where a URL's name does not resolve here; "" for no need."""
    try:
        await asyncio.get_running_loop().getaddrinfo(urlsplit(url).hostname or "", None)
    except OSError:
        with contextlib.suppress(ApiError):
            return (await gateway_of(client))[0] or ""
    return ""


def url_of(api: Access, name: str, namespace: str) -> str:
    """Return where a Service is reached; raise UserError where it is not, or not yet."""

    async def ask() -> Object:
        async with KubeClient(api) as client:
            return await found_service(client, name, namespace)

    url = (asyncio.run(ask()).get("status") or {}).get("url")
    if not url:
        raise UserError(f"{name} has no URL yet: `hearth describe {name}` says how it is")
    return str(url)


def delete(api: Access, name: str, namespace: str) -> None:
    """Delete a Service with its revisions and pods."""

    async def run() -> None:
        async with KubeClient(api) as client:
            await found_service(client, name, namespace)
            await client.delete(KSERVICES, name, namespace)

    asyncio.run(run())
    print(f"Deleted {name} from namespace {namespace}.")
