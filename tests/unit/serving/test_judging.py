"""Which revisions are judged, and what is written of one that is found wanting."""

from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from hearth.kube.meta import Object
from hearth.kube.plan import Event, Patch, Plan
from serving.api import keys
from serving.autoscaler.outcomes import BUCKETS
from serving.judging import Judging
from serving.kinds import sources
from serving.routing.rollout import ConfigurationRollout, Rollout, Share, serialize

OLD, NEW = ("ns", "hello-00001"), ("ns", "hello-00002")
BAD = {BUCKETS: 20}


class World:
    """A Lister with a Route and its Service, and what was written."""

    def __init__(self) -> None:
        own = {"name": "hello", "namespace": "ns", "labels": {keys.SERVICE: "hello"}}
        self.objects: dict[Any, Object] = {
            sources.ROUTES: {"kind": "Route", "metadata": own},
            sources.SERVICES: {"kind": "Service", "metadata": own},
        }
        self.plans: list[Plan] = []
        self.is_refusing = False
        self.judging = Judging(
            self,
            apply=self._apply,
            spawn=lambda name, work: self._run(work),
            clock=lambda: 7.0,
        )

    def get(self, source: Any, namespace: str, name: str) -> Object | None:
        return self.objects.get(source)

    def list(self, source: Any, namespace: str | None = None) -> Sequence[Object]:
        return []

    def by_index(self, index: Any, value: str) -> Sequence[Object]:
        return []

    def count(self, index: Any, value: str) -> int:
        return 0

    async def _apply(self, plan: Plan) -> None:
        if self.is_refusing:
            raise ConnectionError
        self.plans.append(plan)

    def _run(self, work: Awaitable[None]) -> None:
        with pytest.raises(ConnectionError if self.is_refusing else StopIteration):
            work.__await__().send(None)

    def rolls(self, *shares: tuple[str, int], rule: str | None = "errors>5%") -> None:
        part = ConfigurationRollout("hello", 100, tuple(Share(*each) for each in shares))
        own = {keys.ROLLOUT: serialize(Rollout((part,)))}
        if rule is not None:
            own[keys.ROLLBACK] = rule
        new: Object = {"metadata": {"name": "hello", "namespace": "ns", "annotations": own}}
        self.judging.ingress_changed(None, new)


@pytest.fixture
def world() -> World:
    return World()


def test_a_verdict_is_written_once_at_the_revision_and_told_at_the_service(world: World) -> None:
    world.rolls((OLD[1], 90), (NEW[1], 10))
    world.judging.heard(OLD, BAD)
    assert world.plans == []
    world.judging.heard(NEW, BAD)
    world.judging.heard(NEW, BAD)
    ((patch, event),) = (plan.actions for plan in world.plans)
    assert isinstance(patch, Patch)
    assert isinstance(event, Event)
    written = patch.patch["metadata"]["annotations"]
    assert patch.name == NEW[1]
    assert written[keys.ROLLED_BACK_TO] == OLD[1]
    assert written[keys.ROLLED_BACK] == event.message
    assert (event.obj["kind"], event.reason) == ("Service", "RolledBack")


def test_a_verdict_that_could_not_be_written_is_given_again(world: World) -> None:
    world.rolls((OLD[1], 90), (NEW[1], 10))
    world.is_refusing = True
    world.judging.heard(NEW, BAD)
    world.is_refusing = False
    world.judging.heard(NEW, {})
    assert len(world.plans) == 1


@pytest.mark.parametrize(
    "shares, rule",
    [
        (((NEW[1], 100),), "errors>5%"),  # over
        (((OLD[1], 90), (NEW[1], 10)), None),
        (((OLD[1], 90), (NEW[1], 10)), "nonsense"),
    ],
)
def test_without_a_rollout_or_bounds_nothing_is_kept(
    world: World, shares: tuple[tuple[str, int], ...], rule: str | None
) -> None:
    world.rolls((OLD[1], 99), (NEW[1], 1))
    world.rolls(*shares, rule=rule)
    world.judging.heard(NEW, BAD)
    assert world.plans == []


def test_steps_keep_what_was_heard_other_bounds_and_revisions_begin_anew(world: World) -> None:
    half = {BUCKETS: 10}
    world.rolls((OLD[1], 99), (NEW[1], 1))
    world.judging.heard(NEW, half)
    world.rolls((OLD[1], 50), (NEW[1], 50), rule="errors>6%")
    world.judging.heard(NEW, half)
    assert world.plans == []
    world.rolls((OLD[1], 40), (NEW[1], 60), rule="errors>6%")
    world.judging.heard(NEW, half)
    assert len(world.plans) == 1
    world.judging.ingress_changed({"metadata": {"name": "hello", "namespace": "ns"}}, None)
