from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.controllers import claims
from hearth.cluster.controllers.claims import Observed, ObservedVolume
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Event, Patch, Plan


def a_claim(**fields: Any) -> Object:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "standard",
        "volumeMode": "Filesystem",
        **fields.pop("spec", {}),
    }
    metadata = {"name": "data", "namespace": "default", "uid": "u1", **fields.pop("metadata", {})}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}, **fields}


def reconcile(claim: Object, volume: Object | None = None, *, has_consumer: bool = True) -> Plan:
    return claims.reconcile(Observed(claim, volume, has_consumer), now=0.0)


def applied(claim: Object, plan: Plan) -> tuple[Object, Object | None]:
    """The claim and the volume as they are once the plan was carried out."""
    after = {**claim, "spec": dict(claim["spec"])}
    for action in plan.then:
        assert isinstance(action, Patch)
        after["spec"] |= action.patch.get("spec", {})
        after["status"] = action.patch.get("status", after["status"])
    created = [action.obj for action in plan.actions if isinstance(action, Create)]
    return after, created[0] if created else None


def test_a_mounted_claim_is_bound() -> None:
    claim, volume = applied(a_claim(), reconcile(a_claim()))
    assert claim["spec"]["volumeName"] == "pvc-u1"
    assert claim["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
    }
    assert volume is not None
    assert volume["metadata"]["name"] == "pvc-u1"
    assert volume["spec"]["claimRef"]["uid"] == "u1"
    assert volume["spec"]["capacity"] == {"storage": "1Gi"}
    assert volume["spec"]["storageClassName"] == "standard"


def test_the_volume_comes_first_and_is_told_once() -> None:
    plan = reconcile(a_claim())
    assert [type(action) for action in plan.actions] == [Create, Event]
    again = reconcile(a_claim(), claims.make_volume(a_claim()))
    assert again.actions == ()
    assert again.then == plan.then


def test_a_bound_claim_leaves_nothing_to_do() -> None:
    claim, volume = applied(a_claim(), reconcile(a_claim()))
    assert not reconcile(claim, volume)
    assert not reconcile(claim, volume, has_consumer=False)


@pytest.mark.parametrize(
    ("claim", "has_consumer"),
    [
        pytest.param(a_claim(), False, id="nobody-mounts-it"),
        pytest.param(a_claim(spec={"volumeName": "mine"}), True, id="it-names-a-volume"),
        pytest.param(a_claim(metadata={"deletionTimestamp": "t"}), True, id="it-goes"),
    ],
)
def test_claims_that_are_left_alone(claim: Object, has_consumer: bool) -> None:
    assert not reconcile(claim, has_consumer=has_consumer)


def test_more_storage_is_granted_at_once() -> None:
    claim, volume = applied(a_claim(), reconcile(a_claim()))
    claim["spec"]["resources"] = {"requests": {"storage": "2Gi"}}
    grown, _ = applied(claim, reconcile(claim, volume))
    assert grown["status"]["capacity"] == {"storage": "2Gi"}


@pytest.mark.parametrize(("has_claim", "phase"), [(True, "Bound"), (False, "Released")])
def test_a_volume_says_whether_its_claim_lives(has_claim: bool, phase: str) -> None:
    volume = claims.make_volume(a_claim())
    plan = claims.reconcile_volume(ObservedVolume(volume, has_claim), now=0.0)
    (patch,) = plan.actions
    assert isinstance(patch, Patch) and patch.patch["status"] == {"phase": phase}
    settled = {**volume, "status": {"phase": phase}}
    assert not claims.reconcile_volume(ObservedVolume(settled, has_claim), now=0.0)
