"""TriggerAuthentications: who uses them stands in their status; their finalizer and Events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hearth.keda.api import keys
from hearth.kube import meta
from hearth.kube.meta import finalizers
from hearth.kube.resources import EVENTS
from tests.component.keda.operator import NS, TRIGGER, Keda, cluster

ONE, ALL = keys.TRIGGERAUTHENTICATIONS, keys.CLUSTERTRIGGERAUTHENTICATIONS
SPEC: dict[str, Any] = {"secretTargetRef": [{"parameter": "p", "name": "s", "key": "k"}]}
BOTH = [
    TRIGGER | {"authenticationRef": {"name": "auth"}},
    TRIGGER | {"name": "two", "authenticationRef": {"name": "auth", "kind": ALL.kind}},
]


async def listed(keda: Keda, names: str) -> None:
    """Wait until both name their users."""
    for resource in (ONE, ALL):
        await keda.until(
            resource,
            "auth",
            lambda found: (found.get("status") or {}).get("scaledobjects", "") == names,
        )


async def reasons(keda: Keda) -> list[str]:
    events = (await keda.client.list(EVENTS, NS))[0]
    return [each["reason"] for each in events if each["involvedObject"]["name"] == "auth"]


async def test_who_uses_them_and_what_becomes_of_them(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda:
        await keda.deployment()
        async with keda.operator():
            for resource in (ONE, ALL):
                await keda.create(resource, "auth", spec=SPEC)
            for name in ("web", "api"):
                await keda.scaledobject(name, triggers=BOTH)
            await listed(keda, "api,web")
            found = await keda.client.get(ONE, "auth", NS)
            assert (finalizers(found), meta.annotations(found)) == ([keys.FINALIZER], {})
            await keda.event("ClusterTriggerAuthenticationAdded")
            event = await keda.event("TriggerAuthenticationAdded")
            assert event["message"] == "New TriggerAuthentication configured"
            changed = {"spec": {"secretTargetRef": [SPEC["secretTargetRef"][0] | {"key": "l"}]}}
            await keda.client.patch(ONE, "auth", NS, changed)
            event = await keda.event("ClusterTriggerAuthenticationUpdated")
            assert event["message"] == "ClusterTriggerAuthentication auth is updated"
            await keda.client.delete(keys.SCALEDOBJECTS, "web", NS)
            await listed(keda, "api")
        # Nothing is told twice by an operator that begins.
        told = await reasons(keda)
        async with keda.operator():
            await keda.scaledobject("job", triggers=BOTH)
            await listed(keda, "api,job")
            assert await reasons(keda) == told
            await keda.client.delete(ONE, "auth", NS)
            await keda.gone(ONE, "auth")
            event = await keda.event("TriggerAuthenticationDeleted")
            assert event["message"] == "TriggerAuthentication was deleted"
