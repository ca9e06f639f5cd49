"""What ``hearth scale explain`` says of a ScaledObject."""

from __future__ import annotations

from typing import Any

from hearth.keda.scaling.decide import Situation, decide
from hearth.keda.scaling.explanation import Account, explain
from hearth.keda.scaling.modifiers import compile_modifiers
from hearth.knative.explanation import Explanation
from tests.unit.hearth.keda.scaling.builders import a_sample, a_scaledobject, a_trigger, look


def explained(*values: float | None, replicas: int, obj: Any = None, **more: Any) -> Explanation:
    obj = obj or a_scaledobject(cooldownPeriod=60)
    samples = [a_sample(value, index=index) for index, value in enumerate(values)]
    seen = look(obj, *samples, composite=compile_modifiers(obj))
    at = Situation(seen, replicas, 0.0, more.get("last_active"), 100.0)
    return explain(Account(obj, at, decide(obj, at), 112.0, 30.0), 100.0)


def test_each_trigger_and_what_decided() -> None:
    said = explained(12, 3, replicas=0)
    assert said.wish == 3
    assert [(step.pods, step.text, step.decides) for step in said.steps[:2]] == [
        (3, "ceil(12 / 5) = 3; active", True),
        (1, "ceil(3 / 5) = 1; active", False),
    ]
    assert (said.decided_by, said.steps[-1].text) == ("activation", "from 0 to 3")
    assert said.looks_again == "in 12.0 s (each 30s), or when a trigger tells"
    assert said.json()["triggers"][0]["metric"] == "s0-redis"


def test_a_cooldown_says_how_long_it_takes() -> None:
    said = explained(0, replicas=2, last_active=80.0)
    assert said.decided_by == "cooldown"
    assert said.steps[-1].text == "no trigger is active; zero in 40s"
    assert said.looks_again.endswith("and in 40s when the cooldown ends")


def test_a_failure_is_told_and_holds() -> None:
    said = explained(None, replicas=2)
    assert said.wish == 2
    assert (said.steps[0].pods, said.steps[0].text) == (-1, "redis is away")
    assert said.decided_by == "not known, so held"


def test_bounds_and_the_formula() -> None:
    modifiers = {"formula": "redis * 10", "target": "5"}
    obj = a_scaledobject(
        triggers=[a_trigger("redis")],
        maxReplicaCount=4,
        advanced={"scalingModifiers": modifiers},
    )
    said = explained(12, replicas=2, obj=obj)
    assert [step.rule for step in said.steps] == ["redis", "formula", "bounds", "active"]
    assert said.steps[1].text == "ceil(120 / 5) = 24; active"
    assert (said.wish, said.decided_by) == (4, "bounds")
    assert said.json()["formula"] == "redis * 10"


def test_a_formula_over_requests_is_the_autoscaler_s_of_its_target() -> None:
    obj = a_scaledobject(
        scaleTargetRef={"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "web"},
        triggers=[a_trigger("jobs")],
        advanced={"scalingModifiers": {"formula": "requests + jobs", "target": "1"}},
    )
    at = Situation(look(obj, a_sample(3, name="jobs")), 0, 0.0, None, 100.0)
    said = explain(Account(obj, at, decide(obj, at), 112.0, 30.0), 100.0)
    assert said.decided_by == "formula"
    assert said.steps[-1].text == (
        "requests + jobs: the autoscaler of the target works it out, ask for that"
    )
