"""What it means that an object of a name is there already."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.kube.apply import apply_plan
from hearth.kube.errors import NameTaken, Retryable
from hearth.kube.plan import Create, Plan
from hearth.kube.resources import DEPLOYMENTS
from hearth.kube.testing import FakeClient


def a_deployment(owner: str = "") -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "d", "namespace": "ns"}
    if owner:
        reference = {"apiVersion": "v1", "kind": "Owner", "name": "o", "uid": owner}
        metadata["ownerReferences"] = [{**reference, "controller": True}]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}}


async def created(there: dict[str, Any], wanted: dict[str, Any]) -> None:
    client = FakeClient()
    client.put(DEPLOYMENTS, there)
    plan = Plan((Create(DEPLOYMENTS, wanted),))
    await apply_plan(client, plan, manager="m", record=lambda _: None)


@pytest.mark.parametrize("theirs", ["", "somebody"])
async def test_what_somebody_else_has_made_takes_the_name(theirs: str) -> None:
    with pytest.raises(NameTaken, match='There is an existing Deployment "d" that we do not own'):
        await created(a_deployment(theirs), a_deployment("us"))


async def test_what_was_made_a_moment_ago_is_seen_at_the_next_look() -> None:
    with pytest.raises(Retryable):
        await created(a_deployment("us"), a_deployment("us"))


async def test_who_owns_nothing_cannot_tell() -> None:
    with pytest.raises(Retryable):
        await created(a_deployment(), a_deployment())
