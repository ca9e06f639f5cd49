"""``hearth scale set``: bounds of a Service that change without a new revision."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hearth.cli.errors import UserError
from hearth.cli.services import found_service
from hearth.knative.resources import KSERVICES
from hearth.kube import meta
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from serving.api import keys
from serving.api.live import LIVE


def set_scale(
    api: Access, name: str, namespace: str, given: Mapping[str, str], *, reset: bool
) -> str:
    """Write what is given, by Knative's names; return what the Service says now.

    ``reset`` takes away all that is not given. Raises UserError where the server refuses it.
    """
    if not given and not reset:
        raise UserError("say what: --min, --max, --target, or --reset for what the template says")
    own: dict[str, str | None] = dict.fromkeys(LIVE) if reset else {}
    own |= {f"{keys.OWN_AUTOSCALING_GROUP}/{key}": text for key, text in given.items()}

    async def write() -> Object:
        async with KubeClient(api) as client:
            await found_service(client, name, namespace)
            change: Object = {"metadata": {"annotations": own}}
            return await client.patch(KSERVICES, name, namespace, change)

    try:
        return _said(asyncio.run(write()))
    except ApiError as error:
        raise UserError(error.message) from error


def _said(service: Object) -> str:
    found = meta.annotations(service)
    said = [f"{key.partition('/')[2]} {found[key]}" for key in LIVE if key in found]
    own = ", ".join(said) or "what its template says"
    return f"{meta.name(service)}: {own}; no new revision was made"
