"""Leader election: whatever clocks and messages do, there is one leader, and soon a next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearth.kube.election import Candidate, Timing, holder_of
from hearth.kube.meta import Object

TIMING = Timing(lease_duration=15.0, renew_deadline=10.0, retry_period=2.0)
LEASE = ("ns", "leader")


def candidate(identity: str = "a", timing: Timing = TIMING) -> Candidate:
    return Candidate(LEASE, identity, timing)


def written(one: Candidate, now: float, version: int = 1) -> Object:
    lease = one.attempt(now, 1000.0)
    assert lease is not None
    lease["metadata"]["resourceVersion"] = str(version)
    one.wrote(lease, now, now)
    return lease


def test_the_first_one_takes_a_lease_that_is_not_there() -> None:
    one = candidate()
    lease = written(one, 5.0)
    assert lease["spec"] == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "acquireTime": "1970-01-01T00:16:40.000000Z",
        "renewTime": "1970-01-01T00:16:40.000000Z",
        "leaseTransitions": 0,
    }
    assert one.leads(14.9)
    assert not one.leads(15.0)


def test_a_holder_renews_each_retry_period_and_keeps_what_it_acquired() -> None:
    one = candidate()
    first = written(one, 0.0)
    assert one.due(0.0, 0.5) == 2.0
    again = one.attempt(2.0, 1002.0)
    assert again is not None
    assert again["spec"]["acquireTime"] == first["spec"]["acquireTime"]
    assert again["spec"]["leaseTransitions"] == 0
    assert again["metadata"]["resourceVersion"] == "1"


def test_another_waits_for_the_duration_from_when_it_saw_the_lease_change() -> None:
    one, two = candidate("a"), candidate("b")
    lease = written(one, 0.0)
    two.observe(lease, 1000.0)
    two.observe(lease, 1009.0)  # seen again, and not changed
    assert two.attempt(1014.9, 0.0) is None
    assert 1015.0 <= two.due(1009.0, 0.5) <= 1015.25
    taken = two.attempt(1015.0, 0.0)
    assert taken is not None
    assert holder_of(taken) == "b"
    assert taken["spec"]["leaseTransitions"] == 1


def test_a_released_lease_is_free_at_once() -> None:
    one, two = candidate("a"), candidate("b")
    written(one, 0.0)
    lease = one.release(1.0, 1001.0)
    assert lease is not None
    assert not one.leads(1.0)
    two.observe(lease, 50.0)
    assert two.due(50.0, 0.9) == 50.0
    assert two.attempt(50.0, 0.0) is not None


def test_nobody_waits_for_one_that_is_known_to_be_no_more() -> None:
    one, two = candidate("a"), candidate("b")
    two.observe(written(one, 0.0), 50.0)
    assert two.rival == "a"
    two.miss("c")
    assert two.attempt(51.0, 0.0) is None
    two.miss("a")
    assert (two.rival, two.due(51.0, 0.9)) == ("", 51.0)
    taken = two.attempt(51.0, 0.0)
    assert taken is not None
    assert (holder_of(taken), taken["spec"]["leaseTransitions"]) == ("b", 1)
    # Should it live all the same, it hears of it.
    one.observe(taken, 1.0)
    assert not one.leads(1.0)


def test_whoever_comes_after_one_that_is_no_more_is_waited_for() -> None:
    two, three = candidate("b"), candidate("c")
    two.observe(written(candidate("a"), 0.0), 0.0)
    two.miss("a")
    three.observe(None, 0.0)
    two.observe(written(three, 5.0, 2), 5.0)
    assert (two.rival, two.attempt(6.0, 0.0)) == ("c", None)


def test_nothing_is_released_that_is_not_held() -> None:
    assert candidate().release(0.0, 0.0) is None


def test_a_lease_that_somebody_deletes_does_not_set_its_holder_free() -> None:
    one, two = candidate("a"), candidate("b")
    two.observe(written(one, 0.0), 0.0)
    two.observe(None, 1.0)
    assert two.attempt(1.0, 0.0) is None
    lease = two.attempt(15.0, 0.0)
    assert lease is not None
    assert "resourceVersion" not in lease["metadata"]


def test_one_whose_lease_was_taken_stops_at_once() -> None:
    one, two = candidate("a"), candidate("b")
    two.observe(written(one, 0.0), 0.0)
    lease = two.attempt(15.0, 0.0)
    assert lease is not None
    one.observe(lease, 3.0)
    assert not one.leads(3.0)


def test_after_a_failure_a_retry_period_passes() -> None:
    one = candidate()
    one.failed(10.0)
    assert one.due(10.0, 0.0) == 12.0
    assert one.due(10.0, 1.0) == pytest.approx(12.4)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ((10.0, 10.0, 2.0), "leaseDuration must be greater than renewDeadline"),
        ((15.0, 10.0, 9.0), "renewDeadline must be greater than retryPeriod"),
        ((15.0, 10.0, 0.0), "retryPeriod must be greater than zero"),
        ((0.5, 0.4, 0.1), "leaseDuration must be at least one second"),
    ],
)
def test_times_that_cannot_work_are_refused(
    values: tuple[float, float, float], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Timing(*values)


# -- a world of candidates, each with a clock of its own ---------------------------------------


@dataclass
class Server:
    """The API server: one Lease, and the optimistic lock."""

    lease: Object | None = None
    version: int = 0

    def write(self, lease: Object) -> Object | None:
        known = "" if self.lease is None else self.lease["metadata"]["resourceVersion"]
        if lease["metadata"].get("resourceVersion", "") != known:
            return None
        self.version += 1
        metadata = {**lease["metadata"], "resourceVersion": str(self.version)}
        self.lease = {**lease, "metadata": metadata}
        return self.lease


@dataclass
class Process:
    """One candidate: its clock is ``offset + rate * real``; messages to and from it take time."""

    candidate: Candidate
    offset: float
    rate: float
    is_down: bool = False
    on_the_way: list[tuple[float, str, Any, float]] = field(default_factory=list)
    """When something arrives (real time), what it is, and when the write began (own clock)."""
    seen: int = -1

    def clock(self, real: float) -> float:
        return self.offset + self.rate * real

    def step(self, server: Server, real: float, delay: float, lost: bool) -> None:
        now = self.clock(real)
        for message in [m for m in self.on_the_way if m[0] <= real]:
            self.on_the_way.remove(message)
            self._receive(server, message, real, delay, lost)
        if self.is_down or any(kind != "seen" for _, kind, _, _ in self.on_the_way):
            return
        if self.candidate.due(now, delay % 1.0) <= now:
            lease = self.candidate.attempt(now, 0.0)
            if lease is not None:
                # Renewals differ, as their times do.
                lease["spec"]["renewTime"] = str(real)
                self.on_the_way.append((real + delay, "write", lease, now))

    def _receive(
        self,
        server: Server,
        message: tuple[float, str, Any, float],
        real: float,
        delay: float,
        lost: bool,
    ) -> None:
        _, kind, content, began = message
        now = self.clock(real)
        if kind == "write":
            answer = server.write(content)
            if not lost:
                self.on_the_way.append((real + delay, "answer", answer, began))
            else:
                self.on_the_way.append((real + delay, "failure", None, began))
        elif self.is_down:
            return
        elif kind == "answer" and content is not None:
            self.candidate.wrote(content, began, now)
        elif kind in ("answer", "failure"):
            self.candidate.failed(now)
            self.candidate.observe(server.lease, now)
        elif int(content["metadata"]["resourceVersion"]) > self.seen:
            self.seen = int(content["metadata"]["resourceVersion"])
            self.candidate.observe(content, now)

    def watch(self, server: Server, real: float, delay: float) -> None:
        if server.lease is not None and not self.is_down:
            self.on_the_way.append((real + delay, "seen", server.lease, 0.0))


# The rule: no clock runs faster than another by more than lease_duration / renew_deadline.
RATES = st.floats(1.0, 1.49)
STEPS = st.lists(
    st.tuples(
        st.floats(0.01, 4.0),  # how much real time passes
        st.floats(0.0, 3.0),  # how long messages take from here on
        st.booleans(),  # whether answers are lost
        st.integers(0, 5),  # who goes down or comes back; 3 to 5: nobody
    ),
    min_size=20,
    max_size=120,
)


@settings(max_examples=300, deadline=None)
@given(
    clocks=st.lists(st.tuples(st.floats(-1e6, 1e6), RATES), min_size=3, max_size=3),
    steps=STEPS,
)
def test_there_are_never_two_leaders(
    clocks: list[tuple[float, float]], steps: list[tuple[float, float, bool, int]]
) -> None:
    server, real = Server(), 0.0
    processes = [
        Process(candidate(str(number)), offset, rate)
        for number, (offset, rate) in enumerate(clocks)
    ]
    for passes, delay, lost, who in steps:
        if who < 3:
            processes[who].is_down = not processes[who].is_down
        for _ in range(4):
            real += passes / 4
            for process in processes:
                process.step(server, real, delay, lost)
                process.watch(server, real, delay)
            leaders = [p for p in processes if p.candidate.leads(p.clock(real))]
            assert len(leaders) <= 1


@settings(max_examples=100, deadline=None)
@given(
    offsets=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
    killed_at=st.floats(5.0, 60.0),
)
def test_a_killed_leader_is_replaced_within_its_lease_time(
    offsets: list[float], killed_at: float
) -> None:
    server, real, tick = Server(), 0.0, 0.05
    processes = [Process(candidate(str(n)), offset, 1.0) for n, offset in enumerate(offsets)]

    def leader() -> Process | None:
        return next((p for p in processes if p.candidate.leads(p.clock(real))), None)

    def pass_time() -> None:
        nonlocal real
        real += tick
        for process in processes:
            process.step(server, real, tick / 10, lost=False)
            process.watch(server, real, tick / 10)

    while real < killed_at:
        pass_time()
    killed = leader()
    assert killed is not None
    processes.remove(killed)
    died_at = real
    while leader() is None:
        pass_time()
        assert real <= died_at + TIMING.lease_duration + 1.0
