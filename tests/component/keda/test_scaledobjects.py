"""The operator and ScaledObjects: zero and back, the HPA, conditions, what nothing writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hearth.keda.api import keys
from hearth.keda.operator.main import LEASE
from hearth.knative.leaderelection import Candidacy
from hearth.kube import meta
from hearth.kube.election import Timing
from hearth.kube.meta import finalizers, labels, resource_version
from hearth.kube.resources import DEPLOYMENTS, HPAS, LEASES, PODS
from hearth.observability.metrics import REGISTRY
from tests.component.keda.operator import NS, TRIGGER, cluster, condition
from tests.waiting import until

HPA = "keda-hpa-web"


async def test_from_zero_to_what_is_asked_for_and_back(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda:
        await keda.deployment()
        async with keda.operator():
            metadata = {"podSelector": "app=work", "value": "0.34"}
            trigger = TRIGGER | {"metadata": metadata}
            bounds: dict[str, Any] = {"minReplicaCount": 0, "maxReplicaCount": 4}
            await keda.scaledobject(triggers=[trigger], cooldownPeriod=1, **bounds)
            stored = await keda.said("Ready", "True", "ScaledObjectReady")
            assert finalizers(stored) == ["finalizer.keda.sh"]
            assert labels(stored) == {"scaledobject.keda.sh/name": "web"}
            assert meta.annotations(stored) == {}
            await keda.said("Active", "False", "ScalerNotActive")
            await keda.work("work-0")
            await keda.replicas(3)
            active = await keda.said("Active", "True", "ScalerActive")
            event = await keda.event("KEDAScaleTargetActivated")
            assert event["message"] == (
                "Scaled apps/v1.Deployment default/web from 0 to 3, triggered by "
                "s0-workload-default"
            )
            status = active["status"]
            assert status["scaleTargetKind"] == "apps/v1.Deployment"
            assert status["originalReplicaCount"] == 0
            assert status["externalMetricNames"] == ["s0-workload-default"]
            assert status["hpaName"] == HPA
            assert status["triggersTypes"] == "kubernetes-workload"
            assert status["triggersActivity"] == {"s0-workload-default": {"isActive": True}}
            hpa = await keda.until(HPAS, HPA, lambda found: found)
            assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (1, 4)
            await keda.done("work-0")
            await keda.replicas(0)
            await keda.said("Active", "False", "ScalerNotActive")
            await keda.event("KEDAScaleTargetDeactivated")
            await keda.client.delete(keys.SCALEDOBJECTS, "web", NS)
            await keda.gone(keys.SCALEDOBJECTS, "web")


async def polls(number: int) -> None:
    """Wait for so many looks at the trigger of ``web``."""
    names = ("namespace", "metric", "scaledObject", "scaler", "triggerIndex", "type")
    values = (NS, "s0-workload-default", "web", "work", "0", "scaledobject")
    seen: set[float | None] = set()

    def look() -> bool:
        took = dict(zip(names, values, strict=True))
        seen.add(REGISTRY.get_sample_value("keda_scaler_metrics_latency_seconds", took))
        return len(seen) > number

    await until(look)


async def test_steady_state_writes_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda:
        await keda.deployment()
        await keda.work("work-0")
        async with keda.operator():
            await keda.scaledobject()
            await keda.said("Active", "True")
            await keda.replicas(1)
            before = await keda.client.get(keys.SCALEDOBJECTS, "web", NS)
            revision = int((await keda.client.list(PODS, NS))[1])
            await polls(3)
            after = await keda.client.get(keys.SCALEDOBJECTS, "web", NS)
            assert resource_version(after) == resource_version(before)
            await keda.event("KEDAScaleTargetActivated")
            assert int((await keda.client.list(PODS, NS))[1]) - revision <= 5  # Events


async def test_a_target_that_comes_later_is_found(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.work("work-0")
        await keda.scaledobject()
        failed = await keda.said("Ready", "False", "ScaledObjectCheckFailed")
        wrong = "ScaledObject doesn't have correct scaleTargetRef specification: "
        assert condition(failed, "Ready")["message"].startswith(wrong)
        assert condition(failed, "Active")["reason"] == "UnknownState"
        assert condition(failed, "Fallback")["reason"] == "NoFallbackFound"
        for said in ("Target resource doesn't exist", wrong):
            await keda.event("ScaledObjectCheckFailed", said)
        await keda.deployment()
        await keda.said("Ready", "True")
        await keda.replicas(1)
        await keda.client.delete(DEPLOYMENTS, "web", NS)
        await keda.said("Ready", "False")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"scaleTargetRef": {"name": "web", "kind": "ConfigMap", "apiVersion": "v1"}},
            "doesn't have correct scaleTargetRef specification",
        ),
        (
            {"scaleTargetRef": {"name": "web", "kind": "Wheel", "apiVersion": "x.io/v1"}},
            'no matches for kind "Wheel" in version "x.io/v1"',
        ),
        ({"triggers": [{"type": "wheel", "metadata": {}}]}, "no scaler found for type: wheel"),
        ({"triggers": [TRIGGER, TRIGGER]}, 'triggerName "work" is defined multiple times'),
        (
            {"advanced": {"scalingModifiers": {"formula": "work +", "target": "1"}}},
            "unexpected token EOF",
        ),
        ({"idleReplicaCount": 3, "minReplicaCount": 2}, "IdleReplicaCount=3 must be less"),
    ],
)
async def test_what_is_written_wrong_is_said_and_hurts_itself_only(
    tmp_path: Path, members: dict[str, Any], message: str
) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.deployment()
        await keda.deployment("other")
        await keda.scaledobject(**members)
        failed = await keda.said("Ready", "False", "ScaledObjectCheckFailed")
        assert message in condition(failed, "Ready")["message"]
        assert (await keda.event("ScaledObjectCheckFailed"))["type"] == "Warning"
        await keda.work("work-0")
        await keda.scaledobject("other", scaleTargetRef={"name": "other"})
        await keda.replicas(1, "other")
        await keda.client.patch(
            keys.SCALEDOBJECTS,
            "web",
            NS,
            {
                "spec": {
                    "scaleTargetRef": {"name": "web", "kind": None, "apiVersion": None},
                    "triggers": [TRIGGER],
                    "advanced": None,
                    "idleReplicaCount": None,
                }
            },
        )
        await keda.replicas(2 if "minReplicaCount" in members else 1)


async def test_pauses(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.deployment(replicas=2)
        paused = {"annotations": {"autoscaling.keda.sh/paused-replicas": "5"}}
        await keda.scaledobject(metadata=paused)
        await keda.replicas(5)
        found = await keda.said("Paused", "True", "ScaledObjectPaused")
        found = await keda.until(
            keys.SCALEDOBJECTS, "web", lambda each: "pausedReplicaCount" in each["status"]
        )
        assert found["status"]["pausedReplicaCount"] == 5
        await keda.gone(HPAS, HPA)
        await keda.work("work-0")
        none = {"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": None}}}
        await keda.client.patch(keys.SCALEDOBJECTS, "web", NS, none)
        found = await keda.said("Paused", "False", "ScaledObjectUnpaused")
        await keda.until(HPAS, HPA, lambda each: each)
        found = await keda.said("Active", "True")
        assert "pausedReplicaCount" not in found["status"]
        one_way = {"metadata": {"annotations": {"autoscaling.keda.sh/paused-scale-in": "true"}}}
        await keda.client.patch(keys.SCALEDOBJECTS, "web", NS, one_way)
        await keda.said("Paused", "True")
        hpa = await keda.until(HPAS, HPA, lambda each: each["spec"].get("behavior"))
        assert hpa["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"


async def test_replicas_are_given_back_where_that_is_asked_for(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.deployment(replicas=3)
        await keda.scaledobject(advanced={"restoreToOriginalReplicaCount": True})
        await keda.replicas(0)
        await keda.client.delete(keys.SCALEDOBJECTS, "web", NS)
        await keda.gone(keys.SCALEDOBJECTS, "web")
        await keda.replicas(3)
        assert (await keda.event("ScaledObjectDeleted"))["message"] == "ScaledObject was deleted"


async def test_an_operator_that_was_away_goes_on_where_it_was(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda:
        await keda.deployment()
        await keda.work("work-0")
        async with keda.operator():
            await keda.scaledobject(cooldownPeriod=3600)
            await keda.replicas(1)
            await keda.said("Active", "True")
        await keda.done("work-0")
        revived = {"status": {"lastActiveTime": "2020-01-01T00:00:00Z"}}
        await keda.client.patch(keys.SCALEDOBJECTS, "web", NS, revived, subresource="status")
        async with keda.operator():
            # It was active when it was seen last, so the cooldown begins now.
            await keda.said("Active", "False", "ScalerCooldown")
            deployment = await keda.client.get(DEPLOYMENTS, "web", NS)
            assert deployment["spec"]["replicas"] == 1
        await keda.client.delete(keys.SCALEDOBJECTS, "web", NS)
        async with keda.operator():
            await keda.gone(keys.SCALEDOBJECTS, "web")


async def test_a_replica_stands_by_until_the_lease_of_who_leads_is_not_renewed(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path) as keda:
        lease = {"holderIdentity": "other_192.0.2.1", "leaseDurationSeconds": 1}
        where = {"name": LEASE, "namespace": keys.NAMESPACE}
        told = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": where}
        held = await keda.client.create(LEASES, told | {"spec": lease})
        await keda.deployment()
        await keda.work("work-0")
        await keda.scaledobject()
        timing = Timing(lease_duration=1.0, renew_deadline=0.8, retry_period=0.2)
        async with keda.operator(election=Candidacy("next", "127.0.0.1"), timing=timing):
            assert await keda.client.get(LEASES, LEASE, keys.NAMESPACE) == held
            await keda.replicas(1)
            taken = await keda.client.get(LEASES, LEASE, keys.NAMESPACE)
            assert taken["spec"]["holderIdentity"] == "next_127.0.0.1"


async def test_an_hpa_that_others_change_or_delete_is_put_right(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.deployment(replicas=1)
        await keda.scaledobject(minReplicaCount=1, maxReplicaCount=9)
        await keda.until(HPAS, HPA, lambda each: each["spec"]["maxReplicas"] == 9)
        await keda.said("Active", "False")
        await keda.client.patch(HPAS, HPA, NS, {"spec": {"maxReplicas": 2}})
        await keda.until(HPAS, HPA, lambda each: each["spec"]["maxReplicas"] == 9)
        before = await keda.client.get(HPAS, HPA, NS)
        await keda.client.delete(HPAS, HPA, NS)
        await keda.until(
            HPAS, HPA, lambda each: each["metadata"]["uid"] != before["metadata"]["uid"]
        )
        said = {"type": "ScalingActive", "status": "False", "reason": "FailedGetExternalMetric"}
        said |= {"message": "no"}
        status = {"status": {"conditions": [said], "desiredReplicas": 1}}
        await keda.client.patch(HPAS, HPA, NS, status, subresource="status")
        await keda.said("HPAActive", "False", "FailedGetExternalMetric")
        named = {"spec": {"advanced": {"horizontalPodAutoscalerConfig": {"name": "mine"}}}}
        await keda.client.patch(keys.SCALEDOBJECTS, "web", NS, named)
        await keda.until(HPAS, "mine", lambda each: each)
        await keda.gone(HPAS, HPA)


async def test_an_hpa_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    async with cluster(tmp_path) as keda, keda.operator():
        await keda.deployment(replicas=1)
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        await keda.create(HPAS, HPA, spec={"scaleTargetRef": target, "maxReplicas": 3})
        await keda.scaledobject(minReplicaCount=1)
        failed = await keda.said("Ready", "False", "ScaledObjectCheckFailed")
        assert "is there already and nobody's" in condition(failed, "Ready")["message"]
        given = {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}
        patch = {"metadata": {"annotations": given}}
        await keda.client.patch(keys.SCALEDOBJECTS, "web", NS, patch)
        await keda.said("Ready", "True")
        hpa = await keda.client.get(HPAS, HPA, NS)
        assert hpa["metadata"]["ownerReferences"][0]["name"] == "web"
        assert hpa["spec"]["maxReplicas"] == 100
