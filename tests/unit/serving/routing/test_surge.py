"""Rollouts bounded in pods: the limits of each revision, and whole rollouts in simulated time."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.meta import Object
from serving.api import keys
from serving.api.rollouts import Surge, parse_surge
from serving.autoscaler.scale import Active, Bounds, Phase, limited, settle
from serving.routing.rollout import (
    SECOND,
    ConfigurationRollout,
    Rollout,
    Share,
    observe_ready,
    serialize,
    step,
)
from serving.routing.surge import GONE, Limits, base_of, limits_of, most_percent

OLD, NEW = "hello-00001", "hello-00002"


def an_ingress(*shares: tuple[str, int], base: int | None = None) -> Object:
    part = ConfigurationRollout("hello", 100, tuple(Share(*each) for each in shares))
    own = {keys.ROLLOUT: serialize(Rollout((part,)))}
    if base is not None:
        own[keys.ROLLOUT_BASE] = str(base)
    splits = [{"serviceName": revision, "percent": percent} for revision, percent in shares]
    return {
        "metadata": {"name": "hello", "namespace": "ns", "annotations": own, "generation": 1},
        "spec": {"rules": [{"http": {"paths": [{"splits": splits}]}}]},
        "status": {"observedGeneration": 1},
    }


def made(revision: str) -> int:
    return int(revision[-1])


def of(revision: str, ingress: Object | None, **pods: int) -> Limits | None:
    counts = {OLD: pods.get("old", 0), NEW: pods.get("new", 0)}
    return limits_of(
        revision,
        ingress,
        surge=Surge(1, is_percent=False),
        pods=lambda each: counts.get(each, 0),
        made=made,
    )


def test_old_pods_go_as_the_traffic_leaves_them_and_the_new_ones_get_their_room() -> None:
    going = an_ingress((OLD, 75), (NEW, 25), base=4)
    assert of(OLD, going, old=4, new=1) == Limits(3)
    assert of(NEW, going, old=4, new=1) == Limits(1, 1)  # one of them still ends
    assert of(NEW, going, old=3, new=1) == Limits(2, 2)
    assert of(NEW, going, old=0, new=4) == Limits(5, 4)


def test_before_and_after_a_rollout() -> None:
    steady = an_ingress((OLD, 100))
    assert of(OLD, steady, old=4) is None
    assert of(NEW, steady, old=4) == Limits(1)  # not ready yet
    done = an_ingress((NEW, 100))
    assert of(NEW, done, new=4, old=1) is None
    assert of(OLD, done, new=4, old=1) == GONE
    done["status"]["observedGeneration"] = 0
    assert of(OLD, done, new=4, old=1) == Limits(1)  # the gateway may still send requests there
    assert of(OLD, None, old=1) is None


def test_one_that_comes_in_the_middle_finds_what_is_left() -> None:
    going = an_ingress((OLD, 50), (NEW, 50), base=4)
    assert of("hello-00003", going, old=2, new=2) == Limits(1)


def test_without_a_number_to_begin_with_nothing_is_limited() -> None:
    assert base_of(an_ingress((OLD, 75), (NEW, 25))) is None
    assert base_of(an_ingress((NEW, 100), base=4)) is None
    assert base_of(an_ingress((OLD, 75), (NEW, 25), base=4)) == 4
    assert of(OLD, an_ingress((OLD, 75), (NEW, 25)), old=4) is None


@pytest.mark.parametrize(
    "bounds, limits, low, high",
    [
        (Bounds(min_scale=4), Limits(3), 3, 3),
        (Bounds(max_scale=2), Limits(3), 0, 2),
        (Bounds(), Limits(3, 2), 2, 3),
        (Bounds(max_scale=1), Limits(3, 2), 1, 1),
        (Bounds(min_scale=2, max_scale=4), None, 2, 4),
    ],
)
def test_limits_lie_within_bounds(bounds: Bounds, limits: Any, low: int, high: int) -> None:
    found = limited(bounds, limits)
    assert (found.min_scale, found.max_scale) == (low, high)


@pytest.mark.parametrize("text", ["", "0", "-1", "0%", "101%", "1.5", "x", "5 %", "9999999"])
def test_what_is_no_surge(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number of pods from 1 on, or 1% to 100%"):
        parse_surge(text)


@pytest.mark.parametrize("text, base, pods", [("2", 9, 2), ("25%", 9, 3), ("1%", 0, 1)])
def test_a_surge_is_one_pod_at_least(text: str, base: int, pods: int) -> None:
    assert parse_surge(text).of(base) == pods


@given(
    base=st.integers(1, 30),
    surge=st.builds(Surge, st.integers(1, 100), st.booleans()),
    weights=st.lists(st.integers(1, 97), min_size=2, max_size=5),
)
def test_with_any_number_of_revisions_the_newest_can_go_on(
    base: int, surge: Surge, weights: list[int]
) -> None:
    shares = [max(1, 100 * each // sum(weights)) for each in weights[:-1]]
    shares.append(100 - sum(shares))
    names = [f"hello-0000{place}" for place in range(1, len(shares) + 1)]
    ingress = an_ingress(*zip(names, shares, strict=True), base=base)
    most: dict[str, int] = {}
    for revision in names:  # the newest last: the older ones have gone down to their limits
        found = limits_of(
            revision, ingress, surge=surge, pods=lambda each: most.get(each, 0), made=made
        )
        assert found is not None
        most[revision] = found.most
    assert sum(most.values()) <= base + surge.of(base) + len(names) - 2
    part = ConfigurationRollout("hello", 100, tuple(map(Share, names, shares)))
    assert most_percent(part, base=base, ready=most[names[-1]]) > shares[-1] or shares[-1] == 100


# -- a rollout in simulated time -------------------------------------------------------------------


@dataclass
class Pods:
    """Pods of one revision: seconds left to start, how many run, seconds left to end."""

    starting: list[int] = field(default_factory=list)
    ready: int = 0
    ending: list[int] = field(default_factory=list)

    @property
    def there(self) -> int:
        return len(self.starting) + self.ready + len(self.ending)

    def pass_second(self) -> None:
        self.ready += sum(left <= 1 for left in self.starting)
        self.starting = [left - 1 for left in self.starting if left > 1]
        self.ending = [left - 1 for left in self.ending if left > 1]

    def scale(self, wanted: int, *, start: int, end: int) -> None:
        have = len(self.starting) + self.ready
        self.starting += [start] * max(0, wanted - have)
        for _ in range(have - wanted):
            if self.starting:
                self.starting.pop()
            else:
                self.ready -= 1
                self.ending.append(end)


@dataclass
class World:
    """One Service whose autoscaler would keep ``base`` pods of whatever has traffic."""

    base: int
    surge: Surge | None
    start: int = 3
    end: int = 5
    duration: float = 30.0
    now: int = 0
    most_pods: int = 0

    def __post_init__(self) -> None:
        self.pods = {OLD: Pods(ready=self.base), NEW: Pods()}
        self.shares: tuple[tuple[str, int], ...] = ((OLD, 100),)
        self.state = Rollout(
            (ConfigurationRollout("hello", 100, (Share(OLD, 100),)),),
        )

    def second(self) -> None:
        self.now += 1
        for each in self.pods.values():
            each.pass_second()
        if self.pods[NEW].ready or len(self.shares) > 1:
            self.move_traffic()
        for revision, pods in self.pods.items():
            pods.scale(self.wanted(revision), start=self.start, end=self.end)
        self.most_pods = max(self.most_pods, sum(each.there for each in self.pods.values()))
        self.check()

    def move_traffic(self) -> None:
        goal = Rollout((ConfigurationRollout("hello", 100, (Share(NEW, 100),)),))
        now, most = self.now * SECOND, 100
        (part,) = self.state.configurations
        if self.surge is not None and not part.is_done:
            most = most_percent(part, base=self.base, ready=self.pods[NEW].ready)
        state = observe_ready(self.state, now=now, duration_seconds=self.duration)
        self.state, _ = step(goal, state, now=now, most=most)
        self.shares = tuple((s.revision, s.percent) for s in self.state.configurations[0].shares)

    def wanted(self, revision: str) -> int:
        limits = None
        if self.surge is not None:
            limits = limits_of(
                revision,
                an_ingress(*self.shares, base=self.base if len(self.shares) > 1 else None),
                surge=self.surge,
                pods=lambda each: self.pods[each].there,
                made=made,
            )
        if limits == GONE:
            return 0
        has_traffic = revision in dict(self.shares) or revision == NEW
        bounds = Bounds(min_scale=self.base) if has_traffic else Bounds(reachable=False)
        phase = Phase(Active.TRUE, since=-1e6, initialized_at=-1e6)
        return settle(1, phase, bounds=limited(bounds, limits), now=float(self.now)).desired

    def check(self) -> None:
        """Whoever has traffic has the pods that it takes, but for the last percent."""
        if self.surge is not None:
            for revision, percent in self.shares:
                assert self.pods[revision].ready >= self.base * (percent - 1) / 100

    def run(self) -> None:
        for _ in range(900):
            self.second()
            if self.shares == ((NEW, 100),) and self.pods[OLD].there == 0:
                return
        raise AssertionError(f"it does not end: {self.shares} {self.pods}")


def test_without_it_a_rollout_takes_twice_the_pods() -> None:
    world = World(base=4, surge=None)
    for _ in range(60):
        world.second()
    assert world.most_pods == 8  # more than a quota of five


def test_a_quota_that_would_be_exceeded_otherwise() -> None:
    world = World(base=4, surge=Surge(1, is_percent=False))
    world.run()
    assert world.most_pods == 5
    assert world.pods[NEW].ready == 4


@given(
    base=st.integers(1, 20),
    surge=st.builds(Surge, st.integers(1, 100), st.booleans()),
    start=st.integers(1, 9),
    end=st.integers(1, 9),
    duration=st.sampled_from([1.0, 10.0, 120.0]),
)
def test_no_rollout_exceeds_its_surge_or_lacks_pods_and_each_ends(
    base: int, surge: Surge, start: int, end: int, duration: float
) -> None:
    world = World(base, surge, start, end, duration)
    world.run()
    assert world.most_pods <= base + surge.of(base)
