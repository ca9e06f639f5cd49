from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hearth.kube.meta import Key
from serving.api.stats import Frame, Stat
from serving.autoscaler.decide import DeciderSpec
from serving.autoscaler.multiscaler import Multiscaler

KEY = ("ns", "rev-1")
SPEC = DeciderSpec(metric="concurrency", target=10.0, total=10.0, stable_window=6.0)
NOW = 1_000_000.0


class Stage:
    """A multiscaler with pods set by hand; remembers whom it told."""

    def __init__(self, spec: DeciderSpec = SPEC) -> None:
        self.pods: dict[Key, int] = {}
        self.changed: list[Key] = []
        self.urgent: list[Key] = []
        self.failed: list[Key] = []
        self.multiscaler = Multiscaler(
            ready_pods=lambda key: self.pods.get(key, 0),
            changed=self.changed.append,
            urgent=self.urgent.append,
            failed=self.failed.append,
        )
        self.multiscaler.put(KEY, spec, NOW)

    def frame(
        self,
        at: float,
        concurrency: float,
        *,
        requests: float = 1.0,
        queued: int = 0,
        poke: bool = False,
        activator: str = "a",
    ) -> None:
        stat = Stat(*KEY, concurrency, requests, queued)
        self.multiscaler.receive(activator, Frame(at, (stat,), is_poke=poke), at)

    def have_pods(self, count: int, at: float = NOW) -> None:
        self.pods[KEY] = count
        self.multiscaler.pods_changed(KEY, at)

    @property
    def desired(self) -> int:
        return self.multiscaler.desired(KEY)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def with_spec() -> Callable[[DeciderSpec], Stage]:
    return Stage


def test_nothing_is_known_at_first(stage: Stage) -> None:
    assert stage.desired == -1
    assert stage.multiscaler.desired(("ns", "other")) == -1
    assert stage.multiscaler.is_idle


def test_a_poke_at_zero_is_urgent_in_the_same_call(stage: Stage) -> None:
    stage.frame(NOW, 1.0, requests=0, queued=1, poke=True)
    assert stage.urgent == [KEY]
    assert stage.desired == 1


def test_a_burst_at_zero_asks_for_all_pods_at_once(stage: Stage) -> None:
    stage.frame(NOW, 200.0, requests=0, queued=200, poke=True)
    assert stage.desired == 20


def test_a_growing_burst_is_urgent_again_and_the_same_one_is_not(stage: Stage) -> None:
    stage.frame(NOW, 1.0, requests=0, queued=1, poke=True)
    stage.frame(NOW + 0.05, 5.0, requests=0, queued=5, poke=True)
    assert stage.urgent == [KEY]
    stage.frame(NOW + 0.1, 60.0, requests=0, queued=60, poke=True)
    assert stage.urgent == [KEY, KEY]
    assert stage.desired == 6


def test_pokes_are_not_counted(stage: Stage) -> None:
    for tenth in range(10):
        stage.frame(NOW + tenth / 10, 5.0, requests=0, queued=5, poke=True)
    stage.have_pods(1)
    stage.frame(NOW + 1, 5.0, requests=5)
    stage.multiscaler.tick(NOW + 2)
    assert stage.multiscaler.deciders[KEY].decision.stable == pytest.approx(2.5)


def test_what_several_activators_hold_adds_up(stage: Stage) -> None:
    stage.frame(NOW, 30.0, requests=0, queued=30, poke=True, activator="a")
    stage.frame(NOW, 40.0, requests=0, queued=40, poke=True, activator="b")
    assert stage.desired == 7


def test_a_lost_activator_has_nothing_waiting(stage: Stage) -> None:
    stage.frame(NOW, 30.0, requests=0, queued=30, poke=True)
    stage.multiscaler.disconnect("a")
    stage.multiscaler.tick(NOW + 2)
    assert stage.multiscaler.is_idle


def test_a_poke_for_ready_pods_is_not_urgent(stage: Stage) -> None:
    stage.have_pods(1)
    stage.frame(NOW, 1.0, requests=0, queued=1, poke=True)
    assert stage.urgent == []


def test_a_burst_that_goes_on_after_the_first_pod_is_ready_gets_its_pods_at_once(
    stage: Stage,
) -> None:
    stage.frame(NOW, 1.0, requests=0, queued=1, poke=True)
    stage.have_pods(1, NOW + 0.02)
    stage.frame(NOW + 0.05, 60.0, requests=0, queued=50, poke=True)
    assert stage.desired == 6
    assert stage.urgent == [KEY, KEY]


def test_what_waits_between_ticks_never_takes_pods_away(stage: Stage) -> None:
    stage.frame(NOW, 60.0, requests=0, queued=60, poke=True)
    stage.have_pods(6, NOW + 0.05)
    stage.frame(NOW + 0.1, 2.0, requests=0, queued=1, poke=True)
    assert stage.desired == 6


def test_a_poke_that_overtakes_the_end_of_the_last_pod_is_not_lost(stage: Stage) -> None:
    stage.have_pods(1)
    for second in range(1, 9):
        stage.multiscaler.tick(NOW + second)
    assert stage.desired == 0
    stage.frame(NOW + 9, 1.0, requests=0, queued=1, poke=True)
    assert stage.urgent == []
    stage.have_pods(0, NOW + 9.1)
    assert stage.urgent == [KEY]
    assert stage.desired == 1


def test_unknown_revisions_are_ignored(stage: Stage) -> None:
    frame = Frame(NOW, (Stat("ns", "gone", 5.0, 5.0, 5),))
    stage.multiscaler.receive("a", frame, NOW)
    assert stage.multiscaler.is_idle


def test_ticks_follow_the_load(stage: Stage) -> None:
    stage.have_pods(2)
    for second in range(6):
        stage.frame(NOW + second, 35.0, requests=100)
    stage.multiscaler.tick(NOW + 5.5)
    assert stage.desired == 4
    assert stage.changed == [KEY]


def test_pods_without_requests_go_to_zero_after_a_window(stage: Stage) -> None:
    stage.have_pods(1)
    for second in range(0, 8, 2):
        stage.multiscaler.tick(NOW + second)
        assert stage.desired == (1 if second < 5 else 0)


def test_the_first_ready_pod_is_decided_on_at_once(stage: Stage) -> None:
    stage.have_pods(1)
    assert stage.desired == 1


def test_a_restart_does_not_end_the_last_pod_before_a_window_was_seen(stage: Stage) -> None:
    stage.have_pods(1)
    stage.multiscaler.tick(NOW)
    assert stage.desired == 1


def test_a_restart_keeps_several_pods() -> None:
    stage = Stage()
    stage.multiscaler.remove(KEY)
    stage.pods[KEY] = 5
    stage.multiscaler.put(KEY, SPEC, NOW)
    stage.multiscaler.tick(NOW + 2)
    assert stage.desired == 5


def test_a_revision_at_zero_is_not_looked_at(stage: Stage) -> None:
    stage.have_pods(1)
    stage.frame(NOW, 1.0)
    for second in range(1, 9):
        stage.multiscaler.tick(NOW + second)
    stage.have_pods(0)
    for second in range(9, 20):
        stage.multiscaler.tick(NOW + second)
    assert stage.multiscaler.is_idle
    assert stage.multiscaler.deciders[KEY].collector is None
    assert stage.desired == 0


def test_requests_per_second(with_spec: Callable[[DeciderSpec], Stage]) -> None:
    stage = with_spec(DeciderSpec(metric="rps", target=100.0, total=200.0, stable_window=6.0))
    stage.have_pods(1)
    for second in range(6):
        stage.frame(NOW + second, 1.0, requests=250)
    stage.multiscaler.tick(NOW + 5.5)
    assert stage.multiscaler.deciders[KEY].decision.stable > 0


def test_another_window_keeps_the_series_and_another_metric_drops_it(stage: Stage) -> None:
    stage.have_pods(1)
    for second in range(6):
        stage.frame(NOW + second, 20.0)
    longer = DeciderSpec(metric="concurrency", target=10.0, total=10.0, stable_window=60.0)
    stage.multiscaler.put(KEY, longer, NOW + 6)
    stage.multiscaler.tick(NOW + 6)
    assert stage.multiscaler.deciders[KEY].decision.stable > 15
    stage.multiscaler.put(KEY, DeciderSpec(metric="rps", target=1.0, total=1.0), NOW + 7)
    assert stage.multiscaler.deciders[KEY].collector is None


def test_who_waited_at_an_activator_that_fell_silent_wakes_nobody(stage: Stage) -> None:
    """An activator repeats each second what waits; one that is lost never takes it back."""
    stage.frame(NOW, 1.0, queued=1)
    stage.have_pods(1, NOW + 0.1)
    for second in range(1, 80):
        stage.multiscaler.tick(NOW + second)
    assert stage.desired == 0
    woken = list(stage.urgent)
    stage.have_pods(0, NOW + 80)
    assert (stage.desired, stage.urgent) == (0, woken)


def test_a_removed_revision_is_forgotten(stage: Stage) -> None:
    stage.have_pods(1)
    stage.multiscaler.remove(KEY)
    stage.frame(NOW, 1.0, queued=1)
    assert stage.multiscaler.is_idle
    assert not stage.multiscaler.deciders


def test_a_revision_that_cannot_be_decided_hurts_itself_only(stage: Stage) -> None:
    bad = ("ns", "bad")
    stage.have_pods(1)
    stage.multiscaler.put(bad, SPEC, NOW)
    stage.pods[bad] = 1
    stage.multiscaler.pods_changed(bad, NOW)
    poisoned = replace(SPEC, target="not a number")  # type: ignore[arg-type]
    stage.multiscaler.deciders[bad].spec = poisoned
    stage.frame(NOW + 1, concurrency=25.0)
    stage.multiscaler.tick(NOW + 2)
    assert stage.failed == [bad]
    assert stage.multiscaler.deciders[KEY].decision.stable > 0


def test_who_is_busy_is_the_sum_of_what_activators_said_last(stage: Stage) -> None:
    def report(activator: str, at: float, **busy: int) -> None:
        stat = Stat(*KEY, 1.0, 1.0, busy=busy)
        stage.multiscaler.receive(activator, Frame(at, (stat,)), at)

    assert stage.multiscaler.busy(KEY, NOW) == {}
    assert stage.multiscaler.busy(("ns", "other"), NOW) == {}
    report("a", NOW, p1=9, p2=1)
    report("a", NOW + 1, p1=2)
    report("b", NOW + 3, p1=1, p3=4)
    assert stage.multiscaler.busy(KEY, NOW + 3) == {"p1": 3, "p3": 4}
    # An activator that vanished is believed for a moment only.
    assert stage.multiscaler.busy(KEY, NOW + 7) == {"p1": 1, "p3": 4}
    report("b", NOW + 7)
    assert stage.multiscaler.busy(KEY, NOW + 7) == {}


def test_who_takes_over_keeps_the_pods_that_were_asked_for() -> None:
    """Until a window has been seen: one activator's word is not all there is."""
    stage = Stage()
    stage.multiscaler.remove(KEY)
    stage.multiscaler.put(KEY, SPEC, NOW, asked=5)
    stage.have_pods(1)
    stage.frame(NOW, 15.0, queued=15, poke=True)
    assert stage.desired == 5
    stage.frame(NOW, 70.0, queued=70, poke=True, activator="b")
    assert stage.desired == 9
