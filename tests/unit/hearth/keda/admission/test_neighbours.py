"""Who may have which target, and what containers have to request, in KEDA's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hearth.keda.admission.neighbours import Seen, check_hpas, check_others, check_requests
from hearth.keda.api.checks import CheckError
from hearth.keda.api.scaledobject import ScaledObject
from hearth.kube.meta import Object
from hearth.kube.models import decode


def scaled(
    name: str = "mine",
    target: dict[str, str] | None = None,
    hpa: str = "",
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> Object:
    if hpa:
        spec["advanced"] = {"horizontalPodAutoscalerConfig": {"name": hpa}}
    whole = {"scaleTargetRef": target or {"name": "web"}, "triggers": triggers("redis")} | spec
    metadata = {"name": name, "namespace": "shop", "annotations": annotations or {}}
    return {"kind": "ScaledObject", "metadata": metadata, "spec": whole}


def triggers(*types: str, **metadata: str) -> list[dict[str, Any]]:
    return [{"type": each, "metadata": metadata} for each in types]


def typed(obj: Object) -> ScaledObject:
    return decode(ScaledObject, obj, root="ScaledObject")


def hpa(name: str = "theirs", owner: str = "", target: Any = None, **annotations: str) -> Object:
    metadata: dict[str, Any] = {"name": name, "annotations": annotations}
    if owner:
        metadata["ownerReferences"] = [{"kind": "ScaledObject", "name": owner}]
    ref = target or {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {"metadata": metadata, "spec": {"scaleTargetRef": ref}}


def workload(**resources: dict[str, Any]) -> Object:
    containers = [{"name": name, "resources": given} for name, given in resources.items()]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def refusal(check: Callable[[], None]) -> tuple[str, str]:
    with pytest.raises(CheckError) as caught:
        check()
    return str(caught.value), caught.value.reason


# -- other ScaledObjects ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        {"name": "web"},
        {"name": "web", "kind": "Deployment"},
        {"name": "web", "apiVersion": "apps/v1", "kind": "Deployment"},
    ],
)
def test_one_target_has_one_scaled_object(target: dict[str, str]) -> None:
    others = [scaled("theirs", target, hpa="other")]
    assert refusal(lambda: check_others(typed(scaled()), others)) == (
        "the workload 'web' of type 'apps/v1.Deployment' is already managed by the ScaledObject "
        "'theirs'",
        "other-scaled-object",
    )


def test_what_others_scale_does_not_matter() -> None:
    others = [
        scaled("mine"),
        scaled("one", {"name": "other"}),
        scaled("two", {"name": "web", "kind": "StatefulSet"}),
        scaled("three", {"name": "web", "kind": "Deployment", "apiVersion": "apps.example/v1"}),
    ]
    check_others(typed(scaled()), others)
    assert all(other["metadata"]["name"] for other in others)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (scaled(), scaled("theirs", {"name": "other"}, hpa="keda-hpa-mine")),
        (scaled(hpa="keda-hpa-theirs"), scaled("theirs", {"name": "other"})),
        (scaled(hpa="shared"), scaled("theirs", {"name": "other"}, hpa="shared")),
    ],
)
def test_one_hpa_has_one_scaled_object(mine: Object, theirs: Object) -> None:
    name = typed(mine).hpa_name
    assert refusal(lambda: check_others(typed(mine), [theirs])) == (
        f"the HPA '{name}' is already managed by the ScaledObject 'theirs'",
        "other-scaled-object-hpa",
    )


# -- HorizontalPodAutoscalers ----------------------------------------------------------------------

TRANSFER = {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}


def test_a_target_that_has_an_hpa_is_refused() -> None:
    assert refusal(lambda: check_hpas(typed(scaled()), [hpa()])) == (
        "the workload 'web' of type 'apps/v1.Deployment' is already managed by the hpa 'theirs'",
        "other-hpa",
    )


@pytest.mark.parametrize(
    "given",
    [
        hpa(owner="mine"),
        hpa(**{"validations.keda.sh/hpa-ownership": "false"}),
        hpa(target={"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web"}),
        hpa(target={"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}),
    ],
)
def test_hpas_that_are_in_nobodys_way(given: Object) -> None:
    check_hpas(typed(scaled()), [given])
    assert given["spec"]


def test_an_hpa_changes_hands_when_it_is_named() -> None:
    check_hpas(typed(scaled(hpa="theirs", annotations=TRANSFER)), [hpa()])
    text = (
        "the existing hpa 'theirs' for workload 'web' of type 'apps/v1.Deployment' must be "
        "specified by name in advanced settings to enable ownership transfer"
    )
    assert refusal(lambda: check_hpas(typed(scaled(annotations=TRANSFER)), [hpa()])) == (
        text,
        "transfer-ownership-missing-hpa-name",
    )
    with pytest.raises(CheckError, match="already managed by the hpa"):
        check_hpas(typed(scaled(hpa="theirs", annotations={next(iter(TRANSFER)): "1"})), [hpa()])


# -- requests of containers ------------------------------------------------------------------------

CPU = {"requests": {"cpu": "100m"}}
BOTH = {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}


def check(spec: dict[str, Any], **seen: Any) -> None:
    check_requests(typed(scaled(**spec)), Seen(**seen))


def test_what_a_trigger_looks_at_has_to_be_requested() -> None:
    spec = {"triggers": triggers("cpu", "memory"), "minReplicaCount": 1}
    check(spec, target=workload(main=BOTH))
    assert refusal(lambda: check(spec, target=workload(main=BOTH, side=CPU))) == (
        "the scaledobject has a memory trigger but the container side doesn't have the memory "
        "request defined",
        "missing-requests",
    )
    for nothing in ({}, {"requests": {"cpu": "0"}}, {"requests": {"cpu": "many"}}):
        text, _ = refusal(lambda given=nothing: check(spec, target=workload(main=given)))  # type: ignore[misc]
        assert "has a cpu trigger but the container main" in text


def test_one_container_may_be_meant() -> None:
    spec = {"triggers": triggers("cpu", containerName="main"), "minReplicaCount": 1}
    check(spec, target=workload(main=CPU, side={}))
    with pytest.raises(CheckError, match="container main"):
        check(spec, target=workload(main={}, side=CPU))


@pytest.mark.parametrize(
    ("item", "is_enough"),
    [
        ({"type": "Container", "default": {"cpu": "1"}}, True),
        ({"type": "Container", "defaultRequest": {"cpu": "1"}}, True),
        ({"type": "Pod", "default": {"cpu": "1"}}, False),
        ({"type": "Container", "default": {"cpu": "0"}}, False),
        ({"type": "Container", "default": {"memory": "1Gi"}}, False),
    ],
)
def test_limit_ranges_request_for_containers(item: dict[str, Any], is_enough: bool) -> None:
    spec = {"triggers": triggers("cpu"), "minReplicaCount": 1}
    limits = [{"spec": {"limits": [item]}}]
    if is_enough:
        check(spec, target=workload(main={}), limit_ranges=limits)
    else:
        with pytest.raises(CheckError, match="request defined"):
            check(spec, target=workload(main={}), limit_ranges=limits)
    assert limits


@pytest.mark.parametrize("least", [None, 0])
def test_cpu_and_memory_alone_never_go_to_zero(least: int | None) -> None:
    spec: dict[str, Any] = {"triggers": triggers("cpu", "memory")}
    if least is not None:
        spec["minReplicaCount"] = least
    assert refusal(lambda: check(spec, target=workload(main=BOTH))) == (
        "scaledobject has only cpu/memory triggers AND minReplica is 0 (scale to zero doesn't "
        "work in this case)",
        "scale-to-zero-requirements-not-met",
    )
    check(spec | {"triggers": triggers("cpu", "redis")}, target=workload(main=BOTH))


def test_a_target_that_is_not_there() -> None:
    text, _ = refusal(lambda: check({"triggers": triggers("cpu")}))
    assert text == 'Deployment.apps "web" not found'
    check({"triggers": triggers("redis")})
    custom = {"name": "web", "apiVersion": "example.com/v1", "kind": "Machine"}
    check({"triggers": triggers("cpu"), "scaleTargetRef": custom})
