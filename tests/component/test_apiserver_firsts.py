"""The server tells of the first object of a resource: at once, or when it is written."""

from __future__ import annotations

from pathlib import Path

from hearth.cluster.apiserver.main import ApiServerConfig, serving
from hearth.cluster.model.objects import Key, Object

LEASES = "leases.coordination.k8s.io"


def a_lease(name: str) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}


async def test_the_first_object_is_told_once_and_again_after_a_restart(tmp_path: Path) -> None:
    told: list[str] = []
    first = {
        LEASES: lambda: told.append("lease"),
        "ingresses.networking.k8s.io": lambda: told.append("ingress"),
    }
    config = ApiServerConfig(tmp_path, port=0, first=first)
    async with serving(config) as api:
        assert told == []
        for name in ("one", "two"):
            await api.store.put(Key(LEASES, "default", name), a_lease(name), expected=0)
            assert told == ["lease"]
    async with serving(config):
        assert told == ["lease", "lease"]
