"""Pods shared by activators that come, go, are late and die: a limit is a limit."""

from __future__ import annotations

import random
from collections import Counter, deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activator.endpoints import Endpoint, State
from activator.pods import Address, Pod
from activator.sharing import HAUNTED_SECONDS, Message, Sharing, owner_of, pod_id
from activator.throttler import Throttler

# -- who owns what -----------------------------------------------------------------------------

NAMES = st.lists(st.text("abcdef0123456789.:", min_size=1), min_size=1, max_size=6, unique=True)
PODS = [f"pod-{number}@10.0.0.{number % 250}:8080" for number in range(600)]


def test_every_activator_owns_its_share() -> None:
    activators = [f"10.1.0.{number}:8082" for number in range(3)]
    shares = Counter(owner_of(pod, activators) for pod in PODS)
    assert set(shares) == set(activators)
    assert max(shares.values()) < len(PODS) / 3 * 1.25


@given(names=NAMES, newcomer=st.text("ghij", min_size=1))
def test_one_more_moves_only_what_it_takes(names: list[str], newcomer: str) -> None:
    for pod in PODS[:50]:
        before, after = owner_of(pod, names), owner_of(pod, [*names, newcomer])
        assert after in (before, newcomer)


@given(names=NAMES)
def test_the_order_of_the_activators_does_not_matter(names: list[str]) -> None:
    for pod in PODS[:50]:
        assert owner_of(pod, names) == owner_of(pod, reversed(names))


# -- a world of activators ---------------------------------------------------------------------

LIMIT = 2
TARGET = "default/hello/80"


class Activator:
    """One activator: its view of the pods, its backlog, and its part in the sharing."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.throttler: Throttler[Any] = Throttler(random.Random(1).random)
        self.throttler.configure(LIMIT, LIMIT)
        self.sharing = Sharing(name, self._send, lambda: None)
        self.flying: list[Pod] = []
        self.served = self.arrived = 0
        self.is_leaving = False

    def _send(self, peer: str, message: Message) -> None:
        if (self.name, peer) in self.world.channels:
            self.world.channels[self.name, peer].append(message)

    def hello(self) -> Message:
        return ["hello", self.sharing.greeting(self.world.now)]

    # What ``Backend`` is for the real one.

    def admit(self) -> None:
        for waiting, pod in self.throttler.admit(self.world.now):
            waiting.run_on(pod, self.world.now)

    def wake(self) -> None:
        """Pods of this world are ready."""

    def run_on(self, pod: Pod, now: float) -> None:
        """Every request of an activator is alike, so the activator stands for all of them."""
        assert not pod.gone
        self.flying.append(pod)

    def arrive(self) -> None:
        self.arrived += 1
        pod = self.throttler.acquire()
        if pod is not None:
            self.run_on(pod, self.world.now)
        else:
            assert self.throttler.enqueue(self, 1) is not None
            self.sharing.ask(TARGET)

    def finish(self) -> None:
        pod = self.flying.pop(0)
        self.served += 1
        self.throttler.release(pod)
        if self.throttler.demand:
            self.admit()

    def see(self, pods: frozenset[int]) -> None:
        endpoints = {address(n): Endpoint(address(n), State.READY, f"pod-{n}") for n in pods}
        self.throttler.update(endpoints, self.world.now)
        self.sharing.look(TARGET, self, self.world.now)
        self.admit()


def address(number: int) -> Address:
    return (f"10.0.0.{number}", 8080)


class World:
    """Channels that keep order and take their time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pods: frozenset[int] = frozenset({1, 2})
        self.activators: dict[str, Activator] = {}
        self.channels: dict[tuple[str, str], deque[Message]] = {}
        self.lingering: list[tuple[float, str]] = []
        """Requests of killed activators: until when the application works on them, and where."""
        self.numbers = iter(range(10_000))

    def start(self) -> Activator:
        """A new one knows whom the cluster lists before it does anything."""
        made = Activator(self, f"activator-{next(self.numbers)}")
        for name in self.activators:
            made.sharing.suspect(name)
        for other in self.activators.values():
            self.channels[made.name, other.name] = deque([made.hello()])
            self.channels[other.name, made.name] = deque([other.hello()])
        self.activators[made.name] = made
        made.see(self.pods)
        return made

    def kill(self, name: str, lingers: float) -> None:
        killed = self.activators.pop(name)
        self.lingering += [(self.now + lingers, pod_id(pod)) for pod in killed.flying]
        for other in self.activators:
            self.channels.pop((other, name), None)
            self.channels[name, other].append(["closed"])

    def deliver(self, channel: tuple[str, str]) -> None:
        sender, receiver = channel
        message = self.channels[channel].popleft()
        activator = self.activators.get(receiver)
        if activator is None:
            del self.channels[channel]
        elif message[0] == "hello":
            activator.sharing.joined(sender, message[1], self.now)
            for dead in activator.sharing.unknown - self.activators.keys():
                if (dead, receiver) not in self.channels:  # nobody listens there
                    activator.sharing.absolve(dead, self.now)
        elif message == ["closed"]:
            del self.channels[channel]
            activator.sharing.absolve(sender, self.now)
            activator.sharing.left(sender, self.now)
        else:
            activator.sharing.receive(sender, message, self.now)

    def flush(self) -> None:
        for activator in self.activators.values():
            activator.sharing.flush()

    def deliver_all(self) -> None:
        while True:
            self.flush()
            waiting = [channel for channel, messages in self.channels.items() if messages]
            if not waiting:
                return
            self.deliver(waiting[0])

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.lingering = [(until, pod) for until, pod in self.lingering if until > self.now]
        for activator in self.activators.values():
            activator.sharing.tick(self.now)

    def busy(self) -> Counter[str]:
        """What the applications see."""
        counts = Counter(pod for _, pod in self.lingering)
        for activator in self.activators.values():
            counts.update(pod_id(pod) for pod in activator.flying)
        return counts


@settings(max_examples=150, stateful_step_count=60, deadline=None)
class SharingMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: no pod has more than its limit, and nobody starves."""

    @initialize(count=st.integers(1, 3))
    def start(self, count: int) -> None:
        self.world = World()
        for _ in range(count):
            self.world.start()

    def one(self, number: int) -> Activator:
        return list(self.world.activators.values())[number % len(self.world.activators)]

    @rule(who=st.integers(0, 5), count=st.integers(1, 4))
    def requests_come(self, who: int, count: int) -> None:
        for _ in range(count):
            self.one(who).arrive()

    @rule(who=st.integers(0, 5))
    def a_request_ends(self, who: int) -> None:
        if self.one(who).flying:
            self.one(who).finish()

    @rule(which=st.integers(0, 50), count=st.integers(1, 6))
    def messages_arrive(self, which: int, count: int) -> None:
        self.world.flush()
        for _ in range(count):
            waiting = [channel for channel, messages in self.world.channels.items() if messages]
            if waiting:
                self.world.deliver(waiting[which % len(waiting)])

    @rule()
    def all_messages_arrive(self) -> None:
        self.world.deliver_all()

    @precondition(lambda self: len(self.world.activators) < 4)
    @rule()
    def an_activator_starts(self) -> None:
        self.world.start()

    @precondition(lambda self: len(self.world.activators) > 1)
    @rule(who=st.integers(0, 5), lingers=st.floats(0.0, HAUNTED_SECONDS, exclude_max=True))
    def an_activator_is_killed(self, who: int, lingers: float) -> None:
        self.world.kill(self.one(who).name, lingers)

    @rule(who=st.integers(0, 5))
    def an_activator_is_told_to_end(self, who: int) -> None:
        leaving = [each for each in self.world.activators.values() if each.is_leaving]
        if not self.one(who).is_leaving and len(leaving) + 1 < len(self.world.activators):
            self.one(who).is_leaving = True
            self.one(who).sharing.leave(self.world.now)

    @rule(pods=st.frozensets(st.integers(1, 5), min_size=1, max_size=4))
    def pods_come_and_go(self, pods: frozenset[int]) -> None:
        self.world.pods = pods

    @rule(who=st.integers(0, 5))
    def an_activator_sees_the_pods(self, who: int) -> None:
        seen = {pod.address[0].rpartition(".")[2] for pod in self.one(who).flying}
        # A pod whose requests are not over is not listed anew under the same name.
        back = {int(n) for n in seen} & self.world.pods
        known = {int(a[0].rpartition(".")[2]) for a in self.one(who).throttler.pods}
        self.one(who).see(self.world.pods - (back - known))

    @rule(seconds=st.floats(0.01, HAUNTED_SECONDS))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @invariant()
    def the_limit_holds_in_every_pod(self) -> None:
        if hasattr(self, "world"):
            assert all(count <= LIMIT for count in self.world.busy().values())

    @invariant()
    def nothing_is_counted_below_zero(self) -> None:
        if hasattr(self, "world"):
            for activator in self.world.activators.values():
                assert all(pod.in_flight >= 0 for pod in activator.throttler.pods.values())

    def teardown(self) -> None:
        """Once nothing more happens, everybody who waits is served."""
        if not hasattr(self, "world"):
            return
        world = self.world
        for activator in world.activators.values():
            activator.see(world.pods)
        for _ in range(200):
            world.deliver_all()
            world.pass_time(HAUNTED_SECONDS)
            for activator in world.activators.values():
                activator.sharing.remind()
                while activator.flying:
                    activator.finish()
            self.the_limit_holds_in_every_pod()
        for activator in world.activators.values():
            assert activator.throttler.waiting == 0
            assert activator.served == activator.arrived


TestSharingMachine = SharingMachine.TestCase


# -- single steps ------------------------------------------------------------------------------


def test_one_alone_owns_everything_and_says_nothing() -> None:
    world = World()
    alone = world.start()
    assert alone.throttler.own == alone.throttler.ready
    assert len(alone.throttler.own) == 2
    for _ in range(5):
        alone.arrive()
    assert len(alone.flying) == 2 * LIMIT
    assert world.channels == {}


def test_with_fewer_pods_than_activators_each_gets_its_turn() -> None:
    world = World()
    world.pods = frozenset({1})
    three = [world.start() for _ in range(3)]
    world.deliver_all()
    assert sum(len(each.throttler.own) for each in three) == 1
    for each in three:
        for _ in range(10):
            each.arrive()
    order: list[str] = []
    while any(each.flying or each.throttler.waiting for each in three):
        world.deliver_all()
        assert sum(world.busy().values()) == LIMIT or not any(e.throttler.waiting for e in three)
        for each in three:
            if each.flying:
                each.finish()
                order.append(each.name)
    assert all(each.served == 10 for each in three)
    # While all wait nobody is left out.
    assert set(order[:12]) == {each.name for each in three}


def test_a_newcomer_gives_no_slot_before_it_has_heard_from_all() -> None:
    world = World()
    first = world.start()
    for _ in range(4):
        first.arrive()
    second = world.start()
    third = world.start()
    for each in (second, third):
        for _ in range(4):
            each.arrive()
    assert not second.flying and not third.flying
    world.deliver_all()
    assert sum(world.busy().values()) == 4


def test_one_that_leaves_in_order_is_not_waited_for() -> None:
    world = World()
    first, second = world.start(), world.start()
    world.deliver_all()
    second.sharing.leave(world.now)
    world.deliver_all()
    assert len(first.throttler.own) == 2
    assert second.throttler.own == []
    second.arrive()
    world.deliver_all()
    assert len(second.flying) == 1


def test_what_a_killed_one_had_stays_taken_for_a_while() -> None:
    world = World()
    first, second = world.start(), world.start()
    world.deliver_all()
    for _ in range(8):
        second.arrive()
    world.deliver_all()
    assert len(second.flying) == 4
    for _ in range(4):
        first.arrive()
    world.kill(second.name, HAUNTED_SECONDS * 0.9)
    world.deliver_all()
    assert first.flying == []
    world.pass_time(HAUNTED_SECONDS)
    assert len(first.flying) == 4


def test_a_refused_slot_goes_back_and_its_pod_is_not_given_again() -> None:
    world = World()
    world.pods = frozenset({1})
    two = [world.start(), world.start()]
    world.deliver_all()
    owner = next(each for each in two if each.throttler.own)
    borrower = next(each for each in two if each is not owner)
    borrower.arrive()
    world.deliver_all()
    [pod] = borrower.flying
    borrower.flying.clear()
    borrower.throttler.release(pod)
    borrower.throttler.mark_refused(pod, world.now)
    world.deliver_all()
    assert owner.throttler.own == []
    assert next(iter(owner.throttler.pods.values())).suspect
