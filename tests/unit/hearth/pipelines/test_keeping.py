"""A Pipeline: its Triggers, its status, its history; the event that tells of an end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.kube.patch import merge_patch
from hearth.kube.plan import Create, Delete, Patch, Plan
from hearth.pipelines.answering import make_answer
from hearth.pipelines.api import keys
from hearth.pipelines.keeping import Seen, reconcile
from hearth.pipelines.reading import ScriptError
from tests.unit.hearth.pipelines.test_decide import a_pipeline, a_run

SCRIPT = '@on("github:push", ref="x")\ndef f(e): ...\n'


def kept(
    script: str | ScriptError = SCRIPT, *, runs: Any = (), there: Any = (), **spec: Any
) -> Plan:
    seen = Seen(a_pipeline(**spec), script, there, runs)
    return reconcile(seen, url="http://x", now=0.0)


def status_in(plan: Plan) -> Object:
    (patch,) = [each for each in plan.actions if isinstance(each, Patch) and each.subresource]
    return {"status": patch.patch["status"]}


def made(plan: Plan) -> list[Object]:
    return [each.obj for each in plan.actions if isinstance(each, Create)]


def test_each_on_has_a_trigger() -> None:
    plan = kept(broker="b")
    (trigger,) = made(plan)
    assert trigger["spec"]["broker"] == "b"
    assert trigger["spec"]["subscriber"] == {"uri": "http://x/events/default/p"}
    (filters,) = trigger["spec"]["filters"]
    assert filters["cesql"].endswith("AND ref LIKE 'x'")
    conditions = Conditions.of(status_in(plan))
    assert (conditions.status("ScriptValid"), conditions.status("Ready")) == ("True", "Unknown")
    assert status_in(plan)["status"]["events"] == ["github:push"]


def test_it_is_ready_once_they_are_and_then_nothing_is_to_do() -> None:
    (trigger,) = made(kept())
    ready = {**trigger, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    plan = kept(there=[ready])
    assert Conditions.of(status_in(plan)).is_true("Ready")
    pipeline = merge_patch(a_pipeline(), status_in(plan))
    assert not reconcile(Seen(pipeline, SCRIPT, [ready], ()), url="http://x", now=9.0)


def test_a_broker_that_is_not_there_is_told_as_its_trigger_tells_it() -> None:
    (trigger,) = made(kept())
    failed = {"type": "Ready", "status": "False", "reason": "BrokerDoesNotExist", "message": "no"}
    plan = kept(there=[{**trigger, "status": {"conditions": [failed]}}])
    conditions = Conditions.of(status_in(plan))
    assert (conditions.reason("Ready"), conditions.message("Ready")) == ("BrokerDoesNotExist", "no")


def test_triggers_follow_the_script() -> None:
    (old,) = made(kept('@on("a:b")\ndef f(e): ...'))
    plan = kept(there=[old])
    assert [type(each) for each in plan.actions] == [Create, Delete, Patch]
    (moved,) = made(kept(broker="other"))
    assert any(isinstance(each, Delete) for each in kept(there=[moved]).actions)
    assert not made(kept(suspended=True))


@pytest.mark.parametrize(
    ("script", "reason"),
    [("def f(:", "ScriptInvalid"), (ScriptError("NoScript", "none"), "NoScript")],
)
def test_a_script_that_is_no_use_leaves_triggers_alone(script: Any, reason: str) -> None:
    (trigger,) = made(kept())
    plan = kept(script, there=[trigger])
    assert Conditions.of(status_in(plan)).reason("Ready") == reason
    assert len(plan.actions) == 1


def test_a_name_that_is_too_long() -> None:
    pipeline = a_pipeline()
    pipeline["metadata"]["name"] = "x" * 41
    plan = reconcile(Seen(pipeline, SCRIPT, (), ()), url="", now=0.0)
    assert Conditions.of(status_in(plan)).reason("Ready") == "InvalidName"


def test_the_oldest_finished_runs_are_forgotten() -> None:
    runs = [a_run(f"p-{number}", created=number) for number in range(4)]
    for run in runs[:3]:
        run["status"] = {"phase": "Succeeded"}
    plan = kept(runs=runs, historyLimit=1)
    assert [each.name for each in plan.actions if isinstance(each, Delete)] == ["p-0", "p-1"]
    told = status_in(plan)["status"]
    assert (told["active"], told["lastRun"], told["lastPhase"]) == (1, "p-3", "Pending")


def a_finished_run(**event: str) -> Object:
    run = a_run()
    run["spec"]["event"] |= event
    run["status"] = {"phase": "Succeeded", "summary": "all well", "jobs": {"a": {"phase": "S"}}}
    return run


def test_the_event_that_tells_of_an_end() -> None:
    event = make_answer(a_finished_run(pipelinedepth="2"))
    assert event.attributes["type"] == "dev.hearth.pipelines.run.succeeded"
    assert (event.attributes["subject"], event.attributes["pipelinedepth"]) == ("p-1", "3")
    told = json.loads(event.data or b"")
    assert (told["summary"], told["jobs"], told["event"]["type"]) == ("all well", {"a": "S"}, "t")


def test_who_waits_for_a_reply_gets_the_summary() -> None:
    event = make_answer(a_finished_run(correlationid="c"))
    assert (event.attributes["replyid"], event.data) == ("c", b"all well")
    failed = a_finished_run(correlationid="c")
    failed["status"] = {"phase": keys.FAILED, "message": "boom"}
    assert make_answer(failed).data == b"p: Failed: boom"
    assert meta.name(failed) == "p-1"
