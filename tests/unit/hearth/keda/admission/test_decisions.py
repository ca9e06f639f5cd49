"""What is looked at at all, what is refused of one object alone, what is warned of."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.keda.admission import decisions
from hearth.keda.admission.neighbours import Seen
from hearth.keda.api.checks import CheckError
from hearth.kube.admission import AdmissionRequest
from hearth.kube.meta import Object

KNOWN = ("redis", "cron", "cpu")
TRIGGER = {"type": "redis", "metadata": {}, "name": "jobs"}


def scaled(metadata: Object | None = None, **spec: Any) -> Object:
    whole = {"scaleTargetRef": {"name": "web"}, "triggers": [TRIGGER]} | spec
    return {"metadata": {"name": "web"} | (metadata or {}), "spec": whole}


def asked(obj: Object | None, old: Object | None = None, **more: Any) -> AdmissionRequest:
    operation = "CREATE" if old is None else "UPDATE"
    return AdmissionRequest(
        uid="1",
        group="keda.sh",
        version="v1alpha1",
        kind=more.pop("kind", "ScaledObject"),
        resource="scaledobjects",
        operation=operation,
        name="web",
        namespace="shop",
        object=obj,
        old_object=old,
        **more,
    )


def refusal(**spec: Any) -> str:
    with pytest.raises(CheckError) as caught:
        decisions.check_alone(decisions.scaled_object(asked(scaled(**spec))), KNOWN)
    return str(caught.value)


def warned(**spec: Any) -> list[str]:
    obj = decisions.scaled_object(asked(scaled(**spec)))
    return [text.split(" ")[0] for text in decisions.check_among(obj, Seen(), dry_run=False)]


# -- what is looked at -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "is_asked"),
    [
        (scaled({"finalizers": []}), False),
        (scaled({"labels": {"team": "x"}}), False),
        (scaled({"annotations": {"a": "b"}}), True),
        (scaled(maxReplicaCount=3), True),
        (scaled({"deletionTimestamp": "2026-01-01T00:00:00Z"}, maxReplicaCount=3), False),
    ],
)
def test_only_changes_that_matter(new: Object, is_asked: bool) -> None:
    old = scaled({"finalizers": ["finalizer.keda.sh"]})
    assert decisions.is_asked(asked(new, old)) is is_asked


def test_what_is_new_is_looked_at() -> None:
    assert decisions.is_asked(asked(scaled()))
    assert not decisions.is_asked(asked(None))


def test_the_namespace_may_be_that_of_the_request() -> None:
    assert decisions.scaled_object(asked(scaled())).namespace == "shop"


# -- one object alone ------------------------------------------------------------------------------


def test_an_object_that_is_right() -> None:
    modifiers = {"formula": "jobs * 2", "target": "5"}
    fallback = {"failureThreshold": 3, "replicas": 1, "behavior": "scalingModifiers"}
    obj = decisions.scaled_object(
        asked(scaled(advanced={"scalingModifiers": modifiers}, fallback=fallback))
    )
    decisions.check_alone(obj, KNOWN)
    assert obj.modifiers is not None


def test_unknown_types_are_answered_with_known_ones() -> None:
    text = refusal(triggers=[TRIGGER, {"type": "pigeon", "metadata": {}}])
    assert text == "no scaler found for type: pigeon; there are: cpu, cron, redis"


@pytest.mark.parametrize(
    ("modifiers", "text"),
    [
        ({"target": "1"}, "error ScalingModifiers.Formula is mandatory"),
        (
            {"formula": "jobs"},
            "error validating formula in ScalingModifiers\nformula is given but target is empty",
        ),
        ({"formula": "unknown", "target": "1"}, "error validating formula in ScalingModifiers\n"),
        (
            {"formula": "jobs", "target": "-1"},
            "error validating target in ScalingModifiers\nerror converting target for "
            "scalingModifiers (string->float) to valid target",
        ),
    ],
)
def test_formulas_are_compiled(modifiers: dict[str, str], text: str) -> None:
    assert refusal(advanced={"scalingModifiers": modifiers}).startswith(text)


def test_a_fallback_to_a_formula_needs_one() -> None:
    fallback = {"failureThreshold": 3, "replicas": 1, "behavior": "scalingModifiers"}
    assert refusal(fallback=fallback) == (
        "scalingModifiers fallback behavior requires scalingModifiers.formula to be defined"
    )


# -- warnings --------------------------------------------------------------------------------------

BOTH = {"pollingInterval": 5, "cooldownPeriod": 10}


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (BOTH, []),
        (BOTH | {"minReplicaCount": 0}, []),
        (BOTH | {"minReplicaCount": 1}, ["PollingInterval", "CooldownPeriod"]),
        (BOTH | {"minReplicaCount": 1, "idleReplicaCount": 0}, []),
        (
            BOTH | {"minReplicaCount": 1, "triggers": [TRIGGER | {"useCachedMetrics": True}]},
            ["CooldownPeriod"],
        ),
        ({"minReplicaCount": 1}, []),
    ],
)
def test_settings_that_do_nothing(spec: dict[str, Any], names: list[str]) -> None:
    assert warned(**spec) == names


# -- others ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("triggers", [[], [TRIGGER, TRIGGER], [{"type": "x", "metadata": {}}]])
def test_triggers_of_jobs(triggers: list[Object]) -> None:
    job = {"metadata": {}, "spec": {"jobTargetRef": {}, "triggers": triggers}}
    with pytest.raises(CheckError):
        decisions.check_job(asked(job, kind="ScaledJob"), KNOWN)


def test_a_job_is_tried_by_its_spec() -> None:
    job = {"metadata": {}, "spec": {"jobTargetRef": {"template": {}}, "triggers": [TRIGGER]}}
    tried = decisions.check_job(asked(job, kind="ScaledJob"), KNOWN)
    assert tried["spec"] == {"template": {}}
    assert tried["metadata"] == {"generateName": "web-", "namespace": "shop"}


def test_a_refusal_is_the_text_alone() -> None:
    answer = decisions.refused(CheckError("no", "why"))
    assert (answer.allowed, answer.message, answer.code) == (False, "no", 403)
