"""Admission: capacity, order, bounds, the spread of a cold burst, pods that come and go."""

from __future__ import annotations

import random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activator.backlog import Room
from activator.endpoints import Endpoint, State
from activator.pods import Address, Pod
from activator.throttler import SPREAD_SECONDS, Throttler
from serving.api.config.gateway import BacklogLimits

A, B, C = (("10.0.0.1", 80), ("10.0.0.2", 80), ("10.0.0.3", 80))


def endpoints(**states: State) -> dict[Address, Endpoint]:
    known = {"a": A, "b": B, "c": C}
    return {known[n]: Endpoint(known[n], state, f"pod-{n}") for n, state in states.items()}


def a_throttler(
    concurrency: int = 0, *, target: int = 2, limits: BacklogLimits | None = None, **states: State
) -> Throttler[str]:
    made: Throttler[str] = Throttler(random.Random(7).random, Room(limits or BacklogLimits()))
    made.configure(concurrency, target)
    made.update(endpoints(**states), 0.0)
    return made


def test_nobody_goes_without_a_ready_pod() -> None:
    assert a_throttler(a=State.NOT_READY).acquire() is None
    assert a_throttler(a=State.TERMINATING).acquire() is None


def test_without_a_limit_a_warm_revision_takes_everybody() -> None:
    made = a_throttler(a=State.READY)
    assert all(made.acquire() is not None for _ in range(1000))


def test_a_limit_is_pods_times_concurrency() -> None:
    made = a_throttler(3, a=State.READY, b=State.READY)
    taken = [made.acquire() for _ in range(7)]
    assert [pod is not None for pod in taken] == [True] * 6 + [False]
    assert {pod.in_flight for pod in made.ready} == {3}


def test_who_is_busy_is_told_where_there_is_a_choice_of_pods() -> None:
    made = a_throttler(2, a=State.READY)
    made.acquire()
    assert made.busy_pods() == {}
    made.update(endpoints(a=State.READY, b=State.NOT_READY), 0.0)
    assert made.busy_pods() == {"pod-a": 1}
    made.update(endpoints(a=State.READY, b=State.READY), 0.0)
    for _ in range(3):
        made.acquire()
    assert made.busy_pods() == {"pod-a": 2, "pod-b": 2}


def test_the_backlog_is_first_come_first_served() -> None:
    made = a_throttler(1, a=State.READY)
    pod = made.acquire()
    assert pod is not None
    for name in ("x", "y", "z"):
        assert made.enqueue(name, 1, 0.0) is not None
    order = []
    for _ in range(3):
        made.release(pod)
        [(owner, pod)] = made.admit(0.0)
        order.append(owner)
    assert order == ["x", "y", "z"]


def test_a_newcomer_does_not_overtake_the_backlog() -> None:
    made = a_throttler(1, a=State.READY)
    pod = made.acquire()
    assert pod is not None
    made.enqueue("x", 1, 0.0)
    made.release(pod)
    assert made.acquire() is None
    assert [owner for owner, _ in made.admit(0.0)] == ["x"]


def test_those_that_lost_their_pods_go_first_in_order_of_arrival() -> None:
    made = a_throttler(2)
    made.enqueue("x", 1, 4.0)
    for name, since in (("second", 2.0), ("third", 3.0), ("first", 1.0)):
        made.put_back(name, 1, since)
    made.update(endpoints(a=State.READY, b=State.READY), 0.0)
    assert [owner for owner, _ in made.admit(0.0)] == ["first", "second", "third", "x"]


def test_who_left_the_backlog_is_passed_over() -> None:
    made = a_throttler(1)
    tickets = [made.enqueue(name, 1, 0.0) for name in "xyz"]
    assert tickets[0] is not None and tickets[1] is not None
    made.cancel(tickets[1])
    made.cancel(tickets[1])
    made.update(endpoints(a=State.READY, b=State.READY), 0.0)
    assert [owner for owner, _ in made.admit(0.0)] == ["x", "z"]
    made.cancel(tickets[0])
    assert made.waiting == 0


def test_a_cold_burst_is_spread_over_the_pods_to_come() -> None:
    made = a_throttler(target=2)
    for number in range(10):
        made.enqueue(str(number), 1, 0.0)
    made.update(endpoints(a=State.READY), 100.0)
    assert [owner for owner, _ in made.admit(100.0)] == ["0", "1"]
    made.update(endpoints(a=State.READY, b=State.READY), 101.0)
    assert [owner for owner, _ in made.admit(101.0)] == ["2", "3"]
    ends_in = made.spread_ends_in(101.0)
    assert ends_in == pytest.approx(SPREAD_SECONDS - 1.0)
    # No more pods have come: whoever still waits, waits for nothing.
    assert len(made.admit(100.0 + SPREAD_SECONDS)) == 6
    assert made.spread_ends_in(200.0) is None


def test_a_hard_limit_is_never_let_go() -> None:
    made = a_throttler(1, a=State.READY)
    for number in range(5):
        made.enqueue(str(number), 1, 0.0)
    assert len(made.admit(1000.0)) == 1
    assert made.spread_ends_in(0.0) is None


def test_our_own_probe_makes_a_pod_ready_before_the_kubelet_does() -> None:
    made = a_throttler(a=State.NOT_READY)
    [pod] = made.unreached()
    made.mark_reached(pod, 1.0)
    assert made.acquire() is pod
    # The slice does not say so yet, and repeats itself.
    made.update(endpoints(a=State.NOT_READY), 2.0)
    assert made.acquire() is pod
    # Once it has said ready, it alone decides.
    made.update(endpoints(a=State.READY), 3.0)
    made.update(endpoints(a=State.NOT_READY), 4.0)
    assert made.acquire() is None


def test_a_refused_pod_is_left_out_until_a_probe_reaches_it() -> None:
    made = a_throttler(a=State.READY)
    pod = made.acquire()
    assert pod is not None
    made.release(pod)
    made.mark_refused(pod, 1.0)
    assert made.acquire() is None
    made.update(endpoints(a=State.READY), 2.0)
    assert made.acquire() is None
    made.mark_reached(pod, 3.0)
    assert made.acquire() is pod


def test_terminating_and_missing_pods_are_over_but_finish() -> None:
    made = a_throttler(1, a=State.READY, b=State.READY)
    first, second = made.acquire(), made.acquire()
    assert first is not None and second is not None
    dropped = made.update(endpoints(a=State.TERMINATING), 1.0)
    assert {pod.name for pod in dropped} == {"pod-a", "pod-b"}
    assert all(pod.gone and not pod.ready for pod in dropped)
    made.update(endpoints(c=State.READY), 2.0)
    third = made.acquire()
    assert third is not None
    made.release(first)
    made.release(second)
    assert made.acquire() is None
    made.release(third)
    assert made.acquire() is third


def test_a_port_that_was_given_to_another_pod_is_another_pod() -> None:
    made = a_throttler(a=State.READY)
    [old] = made.ready
    [dropped] = made.update({A: Endpoint(A, State.READY, "pod-new")}, 1.0)
    assert dropped is old and old.gone
    assert made.ready[0] is not old and made.ready[0].name == "pod-new"


class ThrottlerMachine(RuleBasedStateMachine):
    """Any order of events: limits hold, counts agree, the backlog keeps its order."""

    @initialize(concurrency=st.sampled_from([0, 1, 2, 5]))
    def begin(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.throttler: Throttler[int] = Throttler(
            random.Random(1).random, Room(BacklogLimits(requests=8))
        )
        self.throttler.configure(concurrency, 3)
        self.now = 0.0
        self.serial = 0
        self.flying: list[Pod] = []
        self.backlog: dict[int, object] = {}

    @rule()
    def arrive(self) -> None:
        self.serial += 1
        pod = self.throttler.acquire()
        if pod is not None:
            assert pod.ready
            self.flying.append(pod)
            return
        ticket = self.throttler.enqueue(self.serial, 1, self.now)
        assert (ticket is None) == (len(self.backlog) >= 8)
        if ticket is not None:
            self.backlog[self.serial] = ticket
        self.admit()

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        pod = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.throttler.release(pod)
        self.admit()

    @precondition(lambda self: self.backlog)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        serial = data.draw(st.sampled_from(sorted(self.backlog)))
        self.throttler.cancel(self.backlog.pop(serial))  # type: ignore[arg-type]
        self.admit()

    @rule(states=st.dictionaries(st.sampled_from("abc"), st.sampled_from(list(State))))
    def pods_change(self, states: dict[str, State]) -> None:
        self.now += 1.0
        self.throttler.update(endpoints(**states), self.now)
        self.admit()

    @rule(refused=st.booleans())
    def probe(self, refused: bool) -> None:
        for pod in list(self.throttler.pods.values())[:1]:
            mark = self.throttler.mark_refused if refused else self.throttler.mark_reached
            mark(pod, self.now)
        self.admit()

    def admit(self) -> None:
        admitted = self.throttler.admit(self.now)
        waiting = sorted(self.backlog)
        assert [owner for owner, _ in admitted] == waiting[: len(admitted)]
        for owner, pod in admitted:
            assert pod.ready
            del self.backlog[owner]
            self.flying.append(pod)

    @invariant()
    def counts_agree(self) -> None:
        throttler = self.throttler
        assert throttler.waiting == len(self.backlog) == throttler.backlog.octets
        for pod in {id(pod): pod for pod in self.flying}.values():
            assert pod.in_flight == self.flying.count(pod)
        assert all(pod.in_flight >= 0 for pod in throttler.pods.values())

    @invariant()
    def limits_hold(self) -> None:
        if self.concurrency:
            assert all(pod.in_flight <= self.concurrency for pod in self.throttler.ready)

    @invariant()
    def nobody_waits_beside_free_capacity(self) -> None:
        free = any(
            not self.concurrency or pod.in_flight < self.concurrency for pod in self.throttler.ready
        )
        if self.backlog and free:
            assert not self.concurrency and self.throttler.spread_ends_in(self.now) is not None


TestThrottlerMachine = ThrottlerMachine.TestCase
