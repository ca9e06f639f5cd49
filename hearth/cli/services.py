"""A Service by its name, and what is done with it as a whole: its URL, its end."""

from __future__ import annotations

import asyncio

from hearth.cli.errors import UserError
from hearth.knative.resources import KSERVICES
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import NotFound
from hearth.kube.meta import Object


async def found_service(client: KubeClient, name: str, namespace: str) -> Object:
    """Return a Service; raise UserError where there is none."""
    try:
        return await client.get(KSERVICES, name, namespace)
    except NotFound as error:
        raise UserError(
            f"there is no service {name!r} in namespace {namespace!r}; `hearth status` lists the "
            "services of this machine, `hearth status --kubeconfig FILE` those of a cluster"
        ) from error


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
