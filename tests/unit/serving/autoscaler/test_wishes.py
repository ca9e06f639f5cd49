"""Wishes from outside beside requests: one decision, which is the greatest of all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.knative.explanation import Explanation
from hearth.kube.meta import Key
from serving.api.stats import Frame, Stat
from serving.api.wishes import Wish, WishFormula, WishTrigger
from serving.autoscaler.decide import FORMULA, WISHED, DeciderSpec
from serving.autoscaler.explanation import Subject, explain
from serving.autoscaler.multiscaler import Multiscaler
from serving.autoscaler.scale import Active, Bounds, Phase, settle
from serving.autoscaler.wishes import Share, Shares, Wishes, wished

KEY: Key = ("ns", "rev-1")
NOW = 1_000_000.0
SPEC = DeciderSpec(metric="concurrency", target=10.0, total=10.0, stable_window=10.0)
OF_SERVICE = Wish("Service", "ns", "app", "ns/orders", 5)


def a_share(pods: int, source: str = "ns/orders", **facts: object) -> Shares:
    return (Share(replace(OF_SERVICE, source=source, replicas=pods, **facts)),)  # type: ignore[arg-type]


class Stage:
    """A multiscaler whose pods are there as soon as they are decided on."""

    def __init__(self, spec: DeciderSpec = SPEC) -> None:
        self.pods = 0
        self.now = NOW
        self.told: list[str] = []
        self.failed: list[Key] = []
        self.multiscaler = Multiscaler(
            ready_pods=lambda key: self.pods,
            changed=lambda key: self._follow("changed"),
            urgent=lambda key: self._follow("urgent"),
            failed=self.failed.append,
        )
        self.multiscaler.put(KEY, spec, NOW)

    def _follow(self, how: str) -> None:
        self.told.append(how)
        self.pods = self.desired

    @property
    def desired(self) -> int:
        return self.multiscaler.desired(KEY)

    def wish(self, shares: Shares) -> None:
        self.multiscaler.wish(KEY, shares, self.now)

    def report(self, concurrency: float) -> None:
        self.multiscaler.receive("a", Frame(0, (Stat(*KEY, concurrency, 1.0),)), self.now)

    def ticks(self, seconds: int, concurrency: float = 0.0) -> None:
        for _ in range(0, seconds, 2):
            for _ in range(2):
                self.now += 1
                if concurrency:
                    self.report(concurrency)
            self.multiscaler.tick(self.now)
        assert not self.failed


# -- what a wish means for a revision ---------------------------------------------------------


def test_a_service_s_wish_goes_where_its_traffic_goes() -> None:
    wishes = Wishes()
    wishes.take(OF_SERVICE)
    traffic = {"app-1": 90, "app-2": 10, "tagged": 0}
    pods = {name: wished(wishes.shares(("ns", name), "app", traffic)) for name in traffic}
    assert pods == {"app-1": 5, "app-2": 1, "tagged": 0}  # ceil(4.5), ceil(0.5), none
    assert wishes.shares(("other", "app-1"), "app", traffic) == ()


@given(st.integers(0, 500), st.lists(st.integers(1, 100), min_size=1, max_size=6))
def test_shares_are_enough_and_hardly_more(pods: int, weights: list[int]) -> None:
    percents = [weight * 100 // sum(weights) for weight in weights]
    percents[0] += 100 - sum(percents)
    shares = [Share(replace(OF_SERVICE, replicas=pods), percent) for percent in percents]
    total = sum(share.pods for share in shares)
    assert pods <= total < pods + len(shares)
    assert all(share.pods >= 1 for share in shares if share.percent and pods)


def test_the_greatest_of_all_sources_counts_until_it_says_that_it_is_over() -> None:
    wishes = Wishes()
    own = Wish("Revision", *KEY, "ns/other", 7)
    for wish in (OF_SERVICE, own, replace(own, replicas=6)):
        wishes.take(wish)
    assert wished(wishes.shares(KEY, "app", {"rev-1": 100})) == 6
    wishes.take(replace(own, replicas=None))
    assert wished(wishes.shares(KEY, "app", {"rev-1": 100})) == 5
    wishes.take(replace(OF_SERVICE, replicas=None))
    wishes.take(replace(OF_SERVICE, replicas=None))
    assert wishes.shares(KEY, "app", {"rev-1": 100}) == ()


# -- the decision -----------------------------------------------------------------------------


def test_from_zero_to_all_that_is_wished_for_in_one_step() -> None:
    stage = Stage(replace(SPEC, max_scale_up_rate=2.0))
    stage.wish(a_share(20))
    assert (stage.told, stage.pods) == (["urgent"], 20)
    assert WISHED in stage.multiscaler.deciders[KEY].decision.reasons


def test_it_stays_for_as_long_as_it_is_wished_for() -> None:
    stage = Stage()
    stage.wish(a_share(3))
    stage.ticks(600)
    assert stage.pods == 3
    stage.wish(a_share(8))
    assert stage.pods == 8
    stage.multiscaler.disconnect("keda")  # silence is no word
    stage.ticks(600)
    assert stage.pods == 8


def test_zero_when_requests_and_wishes_agree() -> None:
    stage = Stage()
    stage.wish(a_share(3))
    stage.ticks(20, concurrency=15.0)
    stage.wish(a_share(0))
    stage.ticks(20, concurrency=15.0)
    assert stage.pods == 2  # what requests want
    stage.ticks(30)
    assert stage.pods == 0
    assert stage.multiscaler.is_idle


def test_requests_may_go_while_a_wish_stays() -> None:
    stage = Stage()
    stage.report(45.0)
    stage.wish(a_share(2))
    stage.ticks(10, concurrency=45.0)
    assert stage.pods == 5
    stage.ticks(30)
    assert stage.pods == 2


def test_pods_that_never_come_are_given_up_with_the_wish() -> None:
    stage = Stage()
    stage.wish(a_share(4))
    stage.pods = 0
    stage.ticks(300)
    assert stage.desired == 4
    stage.wish(())
    stage.ticks(20)
    assert stage.desired == 0
    assert stage.multiscaler.is_idle


def test_where_any_pod_is_wanted_the_activation_scale_holds() -> None:
    stage = Stage(replace(SPEC, activation_scale=4))
    stage.wish(a_share(1))
    assert stage.pods == 4


def test_who_takes_over_knows_nothing_and_takes_nothing_away() -> None:
    stage = Stage()
    stage.pods = 1
    stage.multiscaler.remove(KEY)
    stage.multiscaler.put(KEY, SPEC, NOW)
    stage.wish(a_share(0))
    stage.ticks(6)
    assert stage.pods == 1


STEPS = st.one_of(
    st.tuples(st.just("wish"), st.integers(0, 30)),
    st.tuples(st.just("load"), st.integers(0, 200)),
)


@given(st.lists(STEPS, min_size=1, max_size=12))
def test_a_wish_is_a_floor_beneath_requests_and_nothing_else(steps: list[tuple[str, int]]) -> None:
    """There are always as many as wished for; once it is over, as many as without it."""
    both, alone = Stage(), Stage()
    for stage in (both, alone):
        stage.report(1.0)
    wish, load = 0, 0
    for what, number in steps:
        wish, load = (number, load) if what == "wish" else (wish, number)
        both.wish(a_share(wish))
        for stage in (both, alone):
            stage.ticks(6, concurrency=float(load))
        assert both.desired >= wish
    both.wish(())
    for stage in (both, alone):
        stage.ticks(60, concurrency=float(load))
    assert both.desired == alone.desired


# -- formulas over requests and triggers ------------------------------------------------------


def by_formula(text: str, jobs: float | None, percent: int = 100, **more: Any) -> Shares:
    formula = WishFormula(text, (("jobs", jobs),), **more)
    return (Share(replace(OF_SERVICE, replicas=0, formula=formula), percent),)


@pytest.mark.parametrize(
    ("text", "jobs", "more", "expected"),
    [
        pytest.param("max(requests, jobs)", 9, {}, 9, id="max"),
        pytest.param("min(requests, jobs)", 2, {}, 2, id="fewer-than-requests-need"),
        pytest.param("requests + jobs / 10", 25, {}, 7, id="sum-rounded-up"),
        pytest.param("requests * 10 + jobs", 5, {"target": 10.0}, 5, id="target"),
        pytest.param("jobs > 100 ? 0 : requests", 101, {}, 0, id="zero"),
        pytest.param("requests + jobs", 1, {"activation": 5.0}, 0, id="not-above-activation"),
        pytest.param("requests + jobs", 1, {"activation": 5.0, "lowest": 2}, 2, id="lowest"),
        pytest.param("requests + jobs", 99, {"most": 6}, 6, id="most"),
        pytest.param("requests * 0 + jobs", 1, {"fewest": 3}, 3, id="fewest"),
        pytest.param("requests + jobs", None, {}, None, id="not-known"),
        pytest.param("requests + (jobs ?? 1)", None, {}, 5, id="not-known-and-said-what-then"),
        pytest.param("requests / (jobs - 3)", 3, {}, None, id="no-number"),
        pytest.param("requests +", 3, {}, None, id="no-formula"),
        pytest.param("requests + others", 3, {}, None, id="unknown-name"),
    ],
)
def test_what_a_formula_comes_to(
    text: str, jobs: float | None, more: dict[str, Any], expected: int | None
) -> None:
    (share,) = by_formula(text, jobs, **more)
    assert share.pods_beside(4) == expected


def test_a_revision_gets_its_part_of_what_triggers_say() -> None:
    (share,) = by_formula("requests + jobs", 10.0, percent=25)
    assert share.pods_beside(2) == 5


def test_a_formula_decides_instead_of_requests_and_zero_is_among_it() -> None:
    stage = Stage()
    stage.wish(by_formula("min(requests, jobs)", 2.0))
    stage.ticks(20, concurrency=45.0)
    assert stage.pods == 2
    assert FORMULA in stage.multiscaler.deciders[KEY].decision.reasons
    stage.wish(by_formula("min(requests, jobs)", 0.0))
    stage.ticks(20, concurrency=45.0)
    assert stage.pods == 0
    stage.wish(by_formula("max(requests, jobs)", 7.0))
    assert stage.pods == 7
    stage.wish(())
    stage.ticks(30)
    assert stage.pods == 0 and stage.multiscaler.is_idle


def test_from_zero_by_a_formula_alone_and_back() -> None:
    stage = Stage()
    stage.wish(by_formula("requests + ceil(jobs / 5)", 0.0))
    stage.ticks(30)
    assert stage.pods == 0 and stage.multiscaler.is_idle
    stage.wish(by_formula("requests + ceil(jobs / 5)", 21.0))
    assert (stage.told[-1], stage.pods) == ("urgent", 5)
    stage.ticks(600)
    assert stage.pods == 5
    stage.wish(by_formula("requests + ceil(jobs / 5)", 0.0))
    stage.ticks(30)
    assert stage.pods == 0


def test_what_cannot_be_told_takes_nothing_away() -> None:
    stage = Stage()
    stage.wish(by_formula("requests + jobs", 6.0))
    stage.wish(by_formula("requests + jobs", None))
    stage.ticks(600)
    assert stage.pods == 6
    stage.ticks(20, concurrency=95.0)
    assert stage.pods == 10


def test_other_wishes_stay_a_floor_beneath_a_formula() -> None:
    stage = Stage()
    stage.wish((*by_formula("min(requests, jobs)", 1.0), *a_share(3, "ns/other")))
    stage.ticks(20, concurrency=45.0)
    assert stage.pods == 3


# -- what is said of it -----------------------------------------------------------------------


def explained(stage: Stage, bounds: Bounds | None = None) -> Explanation:
    outlook = stage.multiscaler.outlook(KEY, stage.now)
    assert outlook is not None
    phase = Phase(Active.TRUE, NOW - 3600, NOW - 3600)
    subject = Subject(SPEC, outlook, bounds or Bounds(), phase, stage.now, 0.5, stage.desired)
    return explain(*KEY, subject)


def test_each_trigger_is_told_with_its_value_target_and_wish() -> None:
    stage = Stage()
    triggers = (
        WishTrigger("s0-redis-jobs", 42.0, 10.0, 5),
        WishTrigger("s1-cron", text="the zone is unknown"),
    )
    shares = (Share(replace(OF_SERVICE, triggers=triggers, text="cooldown: 12s left"), 50),)
    stage.wish(shares)
    told = explained(stage)
    steps = {step.rule: (step.pods, step.text, step.decides) for step in told.steps}
    assert (told.wish, told.decided_by) == (3, "ns/orders")
    assert steps["s0-redis-jobs"] == (5, "42, 10 aimed at per pod", False)
    assert steps["s1-cron"] == (-1, "the zone is unknown", False)
    assert steps["ns/orders"] == (
        3,
        "wishes for 5, of which 50 %, its part of the traffic, rounded up; cooldown: 12s left",
        True,
    )
    (fact,) = told.json()["wishes"]
    assert (fact["source"], fact["replicas"], fact["pods"]) == ("ns/orders", 5, 3)


def test_a_formula_is_told_with_what_requests_need() -> None:
    stage = Stage()
    stage.wish(by_formula("requests + jobs", 3.0))
    stage.ticks(20, concurrency=15.0)
    told = explained(stage)
    assert (told.wish, told.decided_by) == (5, "ns/orders")
    step = next(step for step in told.steps if step.rule == "ns/orders")
    assert step.text == "requests + jobs, requests is 2"


def test_knative_s_bounds_hold_for_wishes_too() -> None:
    stage = Stage()
    stage.wish(a_share(9))
    told = explained(stage, Bounds(max_scale=4))
    assert (told.wish, told.decided_by) == (4, "bounds")
    scale = settle(stage.desired, Phase(Active.FALSE, NOW, NOW), bounds=Bounds(), now=NOW)
    assert (scale.desired, scale.apply) == (9, True)


def test_a_wish_for_nothing_is_told_while_nothing_is_known() -> None:
    stage = Stage()
    stage.wish(a_share(0))
    told = explained(stage)
    assert [(step.rule, step.decides) for step in told.steps][:2] == [
        ("no data", True),
        ("ns/orders", False),
    ]
