"""The Deployment controller against a world in memory that plays ReplicaSets and pods."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.controllers import deployment, rollout
from hearth.cluster.controllers.rollout import Group, Limits
from hearth.kube.meta import Object, name
from hearth.kube.plan import Create, Delete, Event, Patch, Plan, Update, UpdateStatus

NOW = 1_000_000.0


def a_deployment(*, replicas: int = 3, image: str = "app:1", **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "d1", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }


class World:
    """Carries plans out, and makes pods of ReplicaSets available when told to."""

    def __init__(self, found: Object) -> None:
        self.deployment = found
        self.replica_sets: dict[str, Object] = {}
        self.events: list[str] = []
        self.now = NOW

    def reconcile(self) -> Plan:
        observed = deployment.Observed(self.deployment, list(self.replica_sets.values()))
        plan = deployment.reconcile(observed, now=self.now)
        for action in plan.actions:
            self._do(action)
        return plan

    def _do(self, action: Any) -> None:
        match action:
            case Create():
                made = deepcopy(action.obj)
                made["metadata"]["creationTimestamp"] = f"2026-01-01T00:00:{len(self.events):02}Z"
                made["metadata"]["uid"] = name(made)
                self.replica_sets[name(made)] = made
            case Update():
                self.replica_sets[name(action.obj)] = deepcopy(action.obj)
            case UpdateStatus():
                self.deployment = deepcopy(action.obj)
            case Delete():
                del self.replica_sets[action.name]
            case Patch():
                target = self.replica_sets.get(action.name, self.deployment)
                marks = action.patch["metadata"]["annotations"]
                target["metadata"].setdefault("annotations", {}).update(marks)
            case Event():
                self.events.append(action.message)

    def settle_pods(self) -> None:
        """Every ReplicaSet has the pods it wants, all of them available."""
        for replica_set in self.replica_sets.values():
            count = replica_set["spec"]["replicas"]
            replica_set["status"] = {
                "replicas": count,
                "readyReplicas": count,
                "availableReplicas": count,
            }

    def run(self, *, rounds: int = 40) -> None:
        for _ in range(rounds):
            self.settle_pods()
            if not self.reconcile():
                break

    def sizes(self) -> dict[str, int]:
        return {
            rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"]
            for rs in self.replica_sets.values()
        }


def conditions(found: Object) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in found["status"]["conditions"]}


def test_first_rollout_reaches_complete_and_then_rests() -> None:
    world = World(a_deployment())
    world.run()
    assert world.sizes() == {"app:1": 3}
    assert conditions(world.deployment) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    assert not world.reconcile()
    assert world.deployment["metadata"]["annotations"][deployment.REVISION] == "1"


def test_new_template_replaces_the_old_one_and_never_falls_below_the_limit() -> None:
    world = World(a_deployment(replicas=4))
    world.run()
    world.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2"
    for _ in range(40):
        if not world.reconcile():
            break
        total = sum(world.sizes().values())
        assert 3 <= total <= 5  # 25 % surge up, 25 % unavailable down
        world.settle_pods()
    assert world.sizes() == {"app:1": 0, "app:2": 4}
    assert any("Scaled up replica set" in event for event in world.events)


def test_rollback_reuses_the_old_replica_set_as_the_newest_revision() -> None:
    world = World(a_deployment())
    world.run()
    world.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2"
    world.run()
    world.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "app:1"
    world.run()
    assert world.sizes() == {"app:1": 3, "app:2": 0}
    assert world.deployment["metadata"]["annotations"][deployment.REVISION] == "3"


def test_recreate_empties_the_old_before_the_new_starts() -> None:
    world = World(a_deployment(strategy={"type": "Recreate"}))
    world.run()
    world.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2"
    world.reconcile()
    assert world.sizes() == {"app:1": 0}
    world.run()
    assert world.sizes() == {"app:1": 0, "app:2": 3}


@pytest.mark.parametrize("size", [0, 1, 7])
def test_a_resize_goes_straight_to_the_replica_set(size: int) -> None:
    world = World(a_deployment())
    world.run()
    world.deployment["spec"]["replicas"] = size
    world.run()
    assert world.sizes() == {"app:1": size}


def test_no_progress_before_the_deadline_is_reported() -> None:
    world = World(a_deployment())
    world.reconcile()
    plan = world.reconcile()
    assert plan.requeue_after is not None and 0 < plan.requeue_after <= 601
    world.now += 601
    world.reconcile()
    assert conditions(world.deployment)["Progressing"] == ("False", "ProgressDeadlineExceeded")
    world.settle_pods()
    world.reconcile()
    assert conditions(world.deployment)["Progressing"] == ("True", "NewReplicaSetAvailable")


def test_history_beyond_the_limit_is_deleted_oldest_first() -> None:
    world = World(a_deployment(revisionHistoryLimit=1))
    for number in range(1, 5):
        world.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = f"app:{number}"
        world.run()
    assert world.sizes() == {"app:3": 0, "app:4": 3}


def test_a_paused_deployment_resizes_but_does_not_roll() -> None:
    world = World(a_deployment())
    world.run()
    world.deployment["spec"]["paused"] = True
    world.deployment["spec"]["replicas"] = 5
    world.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2"
    world.run()
    assert world.sizes() == {"app:1": 5}


@given(
    replicas=st.integers(0, 20),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
    old=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), max_size=3),
    new=st.tuples(st.integers(0, 20), st.integers(0, 20)),
)
def test_a_step_stays_within_the_limits(
    replicas: int,
    surge: int,
    unavailable: int,
    old: list[tuple[int, int]],
    new: tuple[int, int],
) -> None:
    allowed = Limits(surge=surge, unavailable=min(unavailable or (not surge), replicas))
    newest = Group("new", min(new[0], replicas), min(new[0], new[1], replicas))
    groups = [Group(f"old{i}", size, min(size, up)) for i, (size, up) in enumerate(old)]
    sizes = rollout.roll(newest, groups, replicas=replicas, allowed=allowed)
    before = newest.replicas + sum(g.replicas for g in groups)
    assert sum(sizes.values()) <= max(before, replicas + allowed.surge)
    assert all(size >= 0 for size in sizes.values())
    available_before = newest.available + sum(g.available for g in groups)
    available = newest.available + sum(min(g.available, sizes[g.name]) for g in groups)
    assert available >= min(available_before, replicas - allowed.unavailable)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=5), st.integers(0, 100))
def test_proportional_scaling_adds_up(sizes: list[int], wanted: int) -> None:
    groups = [Group(f"g{i}", size, 0) for i, size in enumerate(sizes)]
    shared = rollout.scale_proportionally(groups, total=wanted)
    assert sum(shared.values()) == wanted
    assert all(size >= 0 for size in shared.values())


def test_a_failure_to_create_pods_is_taken_over_and_given_up() -> None:
    world = World(a_deployment())
    world.reconcile()
    (replica_set,) = world.replica_sets.values()
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "m"}
    replica_set["status"] = {"conditions": [failure]}
    world.reconcile()
    assert conditions(world.deployment)["ReplicaFailure"] == ("True", "FailedCreate")
    world.settle_pods()
    world.reconcile()
    assert "ReplicaFailure" not in conditions(world.deployment)
