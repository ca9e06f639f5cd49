"""Objects that others refer to: which of their kind are listed for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventing.kinds.references import References, Referrer
from hearth.knative.destinations import Reference
from hearth.kube.errors import Retryable
from hearth.kube.manager import Manager
from hearth.kube.resources import Resource
from hearth.kube.testing import FakeClient

REFERRER = Referrer("eventing-broker", ("ns", "default"))


class Listed(FakeClient):
    """Remembers what was listed, and in which namespace."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()

    async def list(self, resource: Resource, *args: Any, **options: Any) -> Any:
        self.listed.put_nowait((resource.plural, args[0] if args else None))
        return await super().list(resource, *args, **options)


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        pytest.param("ConfigMap", ("configmaps", "knative-eventing"), id="its namespace alone"),
        pytest.param("Service", ("services", None), id="one cache for all namespaces"),
    ],
)
async def test_where_a_reference_is_followed(kind: str, listed: tuple[str, str | None]) -> None:
    client = Listed()
    manager = Manager(client, name="tests")
    running = asyncio.create_task(manager.run())
    await asyncio.sleep(0)
    with pytest.raises(Retryable):
        References(manager).get(Reference("v1", kind, "knative-eventing", "it"), REFERRER)
    async with asyncio.timeout(60):
        assert await client.listed.get() == listed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
