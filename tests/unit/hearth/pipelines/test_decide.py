"""Runs under kills of everything, in any step: jobs are begun as often as they may, no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.patch import STRATEGIC_PATCH, merge_patch
from hearth.kube.plan import Create, Delete, Event, Patch
from hearth.kube.resources import PODS
from hearth.kube.views import Pod
from hearth.pipelines.api import keys
from hearth.pipelines.asking import Refusal, asked_job, asked_jobs
from hearth.pipelines.runs.decide import Decision, Seen, decide, releases
from hearth.pipelines.runs.pods import make_worker
from hearth.pipelines.settings import Settings
from hearth.pipelines.views import Run, new_run

SETTINGS = Settings("http://127.0.0.1:1")
STEPS = (("a", 0), ("b", 2), ("c", 1))
"""The jobs of the script, one after the other, with their retries."""


def a_pipeline(**spec: Any) -> Object:
    return {
        "apiVersion": keys.PIPELINES.api_version,
        "kind": "Pipeline",
        "metadata": {"name": "p", "namespace": "default", "uid": "p-uid"},
        "spec": {"script": {"inline": ""}, **spec},
    }


def a_run(name: str = "p-1", *, created: int = 0, **spec: Any) -> Object:
    event = {"id": name, "source": "s", "type": "t", "specversion": "1.0"}
    run = new_run(a_pipeline(**spec), "script", event, name=name)
    stamp = f"1970-01-01T00:00:{created:02}Z"
    run["metadata"] |= {"uid": f"{name}-uid", "creationTimestamp": stamp}
    return run


class World:
    """An API with one run, as far as decisions read and write it."""

    def __init__(self, run: Object | None = None, others: tuple[Object, ...] = ()) -> None:
        self.run = run or a_run()
        self.others = others
        self.pods: dict[str, Object] = {}
        self.created: list[str] = []
        self.now = 0.0

    @property
    def status(self) -> dict[str, Any]:
        return self.run.get("status") or {}

    def decision(self) -> Decision:
        seen = Seen(self.run, list(self.pods.values()), [self.run, *self.others])
        return decide(seen, settings=SETTINGS, token=meta.uid, now=self.now)

    def writes(self) -> Iterator[Create | Patch | Delete]:
        plan = self.decision().plan
        for action in (*plan.actions, *plan.then):
            if not isinstance(action, Event):
                assert isinstance(action, Create | Patch | Delete), action
                yield action

    def write(self, action: Create | Patch | Delete) -> None:
        if isinstance(action, Delete):
            assert self.pods[action.name]["status"]["phase"] == "Pending"
            self.delete(action.name)
            return
        if isinstance(action, Create):
            name = meta.name(action.obj)
            assert name not in self.pods, "made twice"
            created = f"1970-01-01T00:{int(self.now) // 60:02}:{int(self.now) % 60:02}Z"
            metadata = {**action.obj["metadata"], "creationTimestamp": created, "uid": name}
            self.pods[name] = {**action.obj, "metadata": metadata, "status": {"phase": "Pending"}}
            self.created.append(name)
        elif action.content_type == STRATEGIC_PATCH:
            assert list(action.patch["metadata"]) == ["$deleteFromPrimitiveList/finalizers"]
            pod = merge_patch(self.pods[action.name], {"metadata": {"finalizers": None}})
            self.pods[action.name] = pod
            if meta.is_deleting(pod):
                del self.pods[action.name]
        elif action.resource == PODS:
            self.pods[action.name] = merge_patch(self.pods[action.name], action.patch)
        else:
            self.run = merge_patch(self.run, action.patch)

    def settle(self, most: int = 50) -> None:
        """Everything is looked at until nothing follows."""
        for _ in range(most):
            writes = list(self.writes())
            if not writes:
                return
            for action in writes:
                self.write(action)
        raise AssertionError("it does not settle")

    def note(self, status: dict[str, Any]) -> None:
        self.run = merge_patch(self.run, {"status": status})

    def ask(self, name: str, **more: Any) -> dict[str, Any]:
        named, job, is_new = asked_job(self.run, {"name": name, "image": "i", **more}, self.now)
        if is_new:
            self.note({"jobs": {named: job}})
        return job

    def pod_is(self, name: str, phase: str, **terminated: Any) -> None:
        state = {"terminated": terminated} if terminated else {}
        statuses = [{"name": "job", "state": state}]
        self.pods[name] = {
            **self.pods[name],
            "status": {"phase": phase, "containerStatuses": statuses},
        }

    def delete(self, name: str) -> None:
        """As a user does, or a node that goes: what has a finalizer ends and stays."""
        if not self.pods[name]["metadata"].get("finalizers"):
            del self.pods[name]
            return
        if not Pod(self.pods[name]).is_finished:
            self.pod_is(name, "Failed", exitCode=137)
        gone = {"metadata": {"deletionTimestamp": "1970-01-01T00:00:00Z"}}
        self.pods[name] = merge_patch(self.pods[name], gone)


def started(**spec: Any) -> World:
    world = World(a_run(**spec))
    world.settle()
    world.pod_is("p-1-worker-1", "Running")
    world.settle()
    return world


class Killed(RuleBasedStateMachine):
    """The component, the worker and pods die between any two of their steps."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.position = 0
        """How far the worker's script is; the script begins anew with each worker."""
        self.worker = 0
        self.ended: dict[str, str] = {}

    @rule(most=st.integers(0, 4))
    def look(self, most: int) -> None:
        """The component decides, and is killed after some of its writes."""
        for number, action in enumerate(list(self.world.writes())):
            if number >= most:
                return
            self.world.write(action)

    @rule()
    def script(self) -> None:
        """The script of the newest worker takes one step, from its beginning if it is new."""
        attempt = self.world.status.get("attempt") or 0
        pod = self.world.pods.get(f"p-1-worker-{attempt}")
        if pod is None or pod["status"]["phase"] in ("Succeeded", "Failed"):
            return
        if attempt != self.worker:
            self.worker, self.position = attempt, 0
        self.world.pod_is(f"p-1-worker-{attempt}", "Running")
        if self.position == len(STEPS):
            self.world.note({"outcome": {"phase": "Succeeded", "summary": "done"}})
            self.world.pod_is(f"p-1-worker-{attempt}", "Succeeded", exitCode=0)
            return
        name, retries = STEPS[self.position]
        try:
            self.world.ask(name, retries=retries)
        except Refusal:
            return
        over = asked_jobs(self.world.run, [name])
        if over:
            if over[name]["phase"] != "Succeeded":
                self.world.note({"outcome": {"phase": "Failed", "reason": "JobFailed"}})
                self.world.pod_is(f"p-1-worker-{attempt}", "Succeeded", exitCode=0)
            self.position += 1

    @rule(index=st.integers(0, 20), phase=st.sampled_from(["Running", "Succeeded", "Failed"]))
    def pod(self, index: int, phase: str) -> None:
        """A pod goes on; one that is over stays so."""
        names = [n for n in self.world.pods if "-worker-" not in n]
        names = [n for n in names if not Pod(self.world.pods[n]).is_finished]
        if names:
            name = names[index % len(names)]
            self.world.pod_is(name, phase, **({} if phase == "Running" else {"exitCode": 1}))

    @rule()
    def kill_worker(self) -> None:
        name = f"p-1-worker-{self.world.status.get('attempt') or 0}"
        if name in self.world.pods:
            self.world.pod_is(name, "Failed", exitCode=137)

    @rule(index=st.integers(0, 20))
    def delete_a_pod(self, index: int) -> None:
        """Noted or not."""
        names = [name for name in self.world.pods if "-worker-" not in name]
        if names:
            self.world.delete(names[index % len(names)])

    @rule(seconds=st.integers(1, 90))
    def wait(self, seconds: int) -> None:
        self.world.now += seconds

    @invariant()
    def no_pod_was_made_twice(self) -> None:
        assert len(set(self.world.created)) == len(self.world.created)

    @invariant()
    def a_job_is_begun_no_more_often_than_it_may(self) -> None:
        for name, retries in STEPS:
            made = [each for each in self.world.created if each.startswith(f"p-1-{name}-")]
            assert len(made) <= retries + 1

    @invariant()
    def an_end_stays(self) -> None:
        for name, job in (self.world.status.get("jobs") or {}).items():
            if job.get("finishedAt"):
                assert self.ended.setdefault(name, job["phase"]) == job["phase"]

    @precondition(lambda self: self.world.status)
    @rule()
    def all_goes_on(self) -> None:
        """Without more kills a run comes to its end."""
        for _ in range(100):
            if Run(self.world.run).is_final:
                break
            self.world.now += 61
            self.world.settle()
            self.script()
            for name, pod in list(self.world.pods.items()):
                if "-worker-" not in name and pod["status"]["phase"] in ("Pending", "Running"):
                    self.world.pod_is(name, "Succeeded", exitCode=0)
        assert Run(self.world.run).is_final, self.world.status


Killed.TestCase.settings = hypothesis(max_examples=60, stateful_step_count=40, deadline=None)
TestKilled = Killed.TestCase


def test_a_run_begins_with_its_worker_and_is_noted_afterwards() -> None:
    world = World()
    decision = world.decision()
    (create,) = decision.plan.actions
    assert isinstance(create, Create)
    assert meta.name(create.obj) == "p-1-worker-1"
    assert [obj["kind"] for obj in decision.ensured] == ["Secret"]
    world.settle()
    assert world.status["phase"] == "Starting"
    assert world.decision().plan.actions == ()


def test_what_it_does_is_no_more_than_once() -> None:
    world = started()
    world.ask("a")
    world.settle()
    assert world.created == ["p-1-worker-1", "p-1-a-1"]
    assert not list(world.writes())


def test_a_pod_that_is_deleted_before_it_is_noted_is_not_made_again() -> None:
    """The component is killed right after making it; without the finalizer nobody would know."""
    world = started()
    world.ask("a")
    world.write(next(world.writes()))
    assert world.created[-1] == "p-1-a-1" and "attempt" not in world.status["jobs"]["a"]
    world.delete("p-1-a-1")
    world.settle()
    job = world.status["jobs"]["a"]
    assert (job["phase"], job["attempt"], job["exitCode"]) == ("Failed", 1, 137)
    assert world.created.count("p-1-a-1") == 1
    assert "p-1-a-1" not in world.pods, "what is noted goes"


def test_pods_of_a_run_that_is_gone_are_let_go() -> None:
    world = started()
    world.ask("a")
    world.write(next(world.writes()))
    (let_go,) = releases(list(world.pods.values())).actions
    assert isinstance(let_go, Patch) and let_go.name == "p-1-a-1"


def test_as_many_runs_as_may_are_under_way() -> None:
    first, second = a_run("p-1", concurrency=1), a_run("p-2", created=1, concurrency=1)
    world = World(second, others=(first,))
    world.settle()
    assert world.created == []
    assert world.status["message"] == "its pipeline's concurrency is used up"
    world.others = (merge_patch(first, {"status": {"phase": "Succeeded"}}),)
    world.settle()
    assert world.created == ["p-2-worker-1"]


@pytest.mark.parametrize(("begun", "phase"), [(False, "Canceled"), (True, "Aborted")])
def test_a_run_that_is_cancelled(begun: bool, phase: str) -> None:
    world = started() if begun else World()
    if begun:
        world.ask("a")
        world.settle()
    world.run = merge_patch(world.run, {"spec": {"canceled": True}})
    world.settle()
    assert world.status["phase"] == phase
    limits = {name: pod["spec"].get("activeDeadlineSeconds") for name, pod in world.pods.items()}
    assert limits == ({"p-1-worker-1": 1} if begun else {}), "what no node has is deleted"
    with pytest.raises(Refusal, match="no job begins any more"):
        world.ask("b")


def test_a_run_that_takes_too_long() -> None:
    world = started(timeoutSeconds=60)
    world.ask("a")
    world.settle()
    world.now = 61
    world.settle()
    assert (world.status["phase"], world.status["jobs"]["a"]["phase"]) == ("TimedOut", "Aborted")
    assert world.status["message"] == ("it took longer than the pipeline's timeoutSeconds, 60 s")


def test_a_script_whose_pod_dies_begins_anew_and_at_last_no_more() -> None:
    world = started()
    for attempt in range(1, keys.WORKER_ATTEMPTS + 1):
        assert world.status["attempt"] == attempt
        world.pod_is(f"p-1-worker-{attempt}", "Failed", exitCode=137)
        world.settle()
    assert (world.status["phase"], world.status["reason"]) == ("Failed", "WorkerDied")
    assert "ended 5 times before the script did: exit code 137" in world.status["message"]


def test_a_script_that_has_told_its_end_is_left_to_end() -> None:
    world = started()
    world.note({"outcome": {"phase": "Succeeded", "summary": {"a": 1}}})
    world.settle()
    assert (world.status["phase"], world.status["summary"]) == ("Succeeded", {"a": 1})
    assert world.pods["p-1-worker-1"]["spec"]["activeDeadlineSeconds"] != 1
    (condition,) = world.status["conditions"]
    assert (condition["type"], condition["status"]) == ("Succeeded", "True")


def test_a_script_whose_pod_is_not_placed_says_why() -> None:
    world = World()
    world.settle()
    pod = world.pods["p-1-worker-1"]
    unplaced = {"type": "PodScheduled", "status": "False", "message": "no node has room"}
    pod["status"]["conditions"] = [unplaced]
    world.settle()
    assert (world.status["phase"], world.status["message"]) == ("Starting", "no node has room")
    world.pod_is("p-1-worker-1", "Running")
    world.settle()
    assert (world.status["phase"], world.status.get("message")) == ("Running", None)


def test_a_pod_that_cannot_begin_is_given_some_time() -> None:
    world = started()
    world.ask("a")
    world.settle()
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    world.pods["p-1-a-1"]["status"] = {
        "phase": "Pending",
        "containerStatuses": [{"name": "job", "state": waiting}],
    }
    world.settle()
    assert world.status["jobs"]["a"]["phase"] == "Starting"
    assert world.decision().plan.requeue_after == 10
    world.now = 11
    world.settle()
    job = world.status["jobs"]["a"]
    assert (job["phase"], job["reason"], job["message"]) == (
        "Failed",
        "ErrImagePull",
        "no such image",
    )


def test_jobs_of_an_earlier_run_are_remembered() -> None:
    world = started()
    world.ask("a")
    world.settle()
    world.pod_is("p-1-a-1", "Succeeded", exitCode=0, message='{"x": 1}')
    world.settle()
    again = a_run("p-2")
    again["spec"]["remembered"] = {"a": world.status["jobs"]["a"]}
    second = World(again)
    second.settle()
    job = second.ask("a")
    assert (job["result"], job["remembered"]) == ({"x": 1}, True)
    second.settle()
    assert second.created == ["p-2-worker-1"]


def test_a_workspace_is_claimed_with_the_first_job_that_asks_for_it() -> None:
    world = started(workspace={"size": "5Gi"})
    world.ask("a", workspace=True)
    (claim,) = world.decision().ensured
    assert claim["spec"]["resources"] == {"requests": {"storage": "5Gi"}}
    world.settle()
    (volume,) = world.pods["p-1-a-1"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "p-1-workspace"}


@pytest.mark.parametrize(
    ("image", "python", "is_mounted"),
    [
        ("", "/usr/bin/python-of-hearth", False),
        ("dev.local/p@sha256:" + "0" * 64, "python3", False),  # a process, which is told
        ("python:3.12", "python3", True),
    ],
)
def test_each_image_has_the_interpreter_that_it_names(
    image: str, python: str, is_mounted: bool
) -> None:
    here = Settings("http://h:1", python="/usr/bin/python-of-hearth", in_cluster=False)
    container = make_worker(a_run(image=image), 1, here)["spec"]["containers"][0]
    assert container["command"][0] == python
    assert ("volumeMounts" in container) == is_mounted
