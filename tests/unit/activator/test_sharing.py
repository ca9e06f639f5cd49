"""Pods shared by activators that come, go, are late and die: a limit is a limit.

The machine draws arrivals, ends, cancellations, refusals, late and lost messages, links that break,
activators that start, end, are killed and come back under their name, pods that come, go and become
unready, and limits that change. It was made sure that these tests can fail: each of these changes
to the code, one at a time, made them fail within 250 runs of the machine, or in a single step (*).

* ``claims``: slots are given before all were heard; slots under way are forgotten; slots of the
  dead stay lent; one that comes back is not asked; an answer to an earlier question counts (*).
* ``sharing``: of a dead one that was never heard nothing stays taken; the dead keep their slots for
  ever; slots of others are kept by a former owner; a slot that is of no use is not given back; a
  slot of a former owner is used (*); what the dead had in pods that are new here is given away (*).
* ``members``: the dead haunt nobody (*).
* ``places``: who asks again is not told what it was told before; ends are not told.
* ``shares``: one that is gone still waits.
* ``throttler``: who borrows never gets a turn (*).

One change they pass: ``Share.want`` counting slots that are under way as wanted. It costs messages,
and slots that come back at once, but no limit.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activator.backlog import Ticket
from activator.endpoints import Endpoint, State
from activator.members import HAUNTED_SECONDS, owner_of
from activator.places import pod_id
from activator.pods import Address, Pod
from activator.sharing import Message, Sharing
from activator.throttler import Throttler

# -- a world of activators ---------------------------------------------------------------------

LIMIT = 2
TARGET = "default/hello/80"


class Activator:
    """One activator: its view of the pods, its backlog, and its part in the sharing."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.throttler: Throttler[Any] = Throttler(random.Random(1).random)
        self.limit = world.limit
        self.throttler.configure(self.limit, self.limit)
        self.sharing = Sharing(name, self._send, lambda: None)
        self.flying: list[Pod] = []
        self.tickets: list[Ticket[Any]] = []
        self.served = self.arrived = 0
        self.is_leaving = False

    def _send(self, peer: str, message: Message) -> None:
        self.world.say(self.name, peer, message)

    # What ``Backend`` is for the real one.

    def admit(self) -> None:
        for waiting, pod in self.throttler.admit(self.world.now):
            waiting.run_on(pod, self.world.now)

    def wake(self) -> None:
        """Pods of this world are probed by a rule."""

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
            self._enqueue()

    def _enqueue(self) -> None:
        ticket = self.throttler.enqueue(self, 1, self.world.now)
        assert ticket is not None
        self.tickets.append(ticket)
        self.sharing.ask(TARGET)

    def give_up(self) -> None:
        """The client of a waiting request has gone."""
        waiting = [ticket for ticket in self.tickets if ticket.live]
        if waiting:
            self.throttler.cancel(waiting[-1])
            self.served += 1

    @property
    def is_at_rest(self) -> bool:
        """Nobody waits, all have been served, and nothing is counted in any pod."""
        busy = any(pod.in_flight for pod in self.throttler.pods.values())
        return self.served == self.arrived and not (busy or self.flying or self.throttler.demand)

    def finish(self, *, is_refused: bool = False) -> None:
        pod = self.flying.pop(0)
        self.throttler.release(pod)
        if is_refused:
            self.throttler.mark_refused(pod, self.world.now)
            self._enqueue()
        else:
            self.served += 1
        if self.throttler.demand:
            self.admit()

    def probe(self) -> None:
        for pod in self.throttler.unreached():
            if self.world.state(number_of(pod.address)) is State.READY:
                self.throttler.mark_reached(pod, self.world.now)
                self.sharing.look(TARGET, self, self.world.now)
        self.admit()

    def learn(self) -> None:
        """The revision was made anew with another limit."""
        self.limit = self.world.limit
        self.throttler.configure(self.limit, self.limit)
        self.sharing.look(TARGET, self, self.world.now)
        self.admit()

    def learn_that_there_is_no_limit(self) -> None:
        self.throttler.configure(0, 100)
        self.sharing.unshare(TARGET, self.world.now)

    def see(self, pods: frozenset[int]) -> None:
        # A pod whose requests are not over is not listed anew under the same name.
        busy = {number_of(pod.address) for pod in self.flying}
        known = {number_of(address) for address in self.throttler.pods}
        listed = pods - (busy - known)
        endpoints = {
            address(n): Endpoint(address(n), self.world.state(n), f"pod-{n}") for n in listed
        }
        self.throttler.update(endpoints, self.world.now)
        self.sharing.look(TARGET, self, self.world.now)
        self.admit()

    @property
    def is_up_to_date(self) -> bool:
        return {number_of(address) for address in self.throttler.pods} == self.world.pods

    def catch_up(self) -> None:
        """See the pods, if not done: nothing else is to depend on a look at all of them."""
        if not self.is_up_to_date:
            self.see(self.world.pods)

    def forget(self) -> None:
        """No route leads to the target for a moment, and nothing was counted there."""
        if not any(pod.in_flight for pod in self.throttler.pods.values()) and not (
            self.flying or self.throttler.waiting
        ):
            self.sharing.forget(TARGET)
            self.throttler = Throttler(random.Random(1).random)
            self.throttler.configure(self.limit, self.limit)


def address(number: int) -> Address:
    return (f"10.0.0.{number}", 8080)


def number_of(of: Address) -> int:
    return int(of[0].rpartition(".")[2])


MESSAGES = 20_000
"""More than this is said about nothing."""
HELLO, CLOSED = "hello", ["closed"]


class World:
    """Channels that keep order and take their time, between activators that are there."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pods: frozenset[int] = frozenset({1, 2})
        self.unready: frozenset[int] = frozenset()
        self.limit = self.highest_limit = LIMIT
        self.activators: dict[str, Activator] = {}
        self.channels: dict[tuple[str, str], deque[Message]] = {}
        self.cut: set[tuple[str, str]] = set()
        """Ends of links that are no more, where that has not been noticed: nothing gets through."""
        self.lingering: list[tuple[float, str]] = []
        """Requests of killed activators: until when the application works on them, and where."""
        self.numbers = iter(range(10_000))
        self.messages: Counter[str] = Counter()

    def state(self, number: int) -> State:
        return State.NOT_READY if number in self.unready else State.READY

    def change_limit(self, limit: int) -> None:
        """Activators learn of it one by one, so the higher one holds."""
        self.limit = limit
        self.highest_limit = max(limit, self.highest_limit)

    def start(self, name: str = "") -> Activator:
        """A new one knows whom the cluster lists before it does anything."""
        made = Activator(self, name or f"activator-{next(self.numbers)}")
        for other in self.activators.values():
            made.sharing.members.suspect(other.name, self.now)
            self.connect(made, other)
            self.connect(other, made)
        self.activators[made.name] = made
        made.see(self.pods)
        return made

    def connect(self, sender: Activator, receiver: Activator) -> None:
        """What is under way from before arrives before."""
        channel = self.channels.setdefault((sender.name, receiver.name), deque())
        channel.append([HELLO, sender.sharing.members.greeting(self.now)])

    def say(self, sender: str, receiver: str, message: Message) -> None:
        if receiver in self.activators and (sender, receiver) not in self.cut:
            self.channels[sender, receiver].append(message)
            self.messages[message[0]] += 1

    def cut_off(self, sender: str, receiver: str, arriving: int) -> None:
        """Of what has been said since the hello only so much arrives, and then the end."""
        channel = self.channels[sender, receiver]
        while channel and channel[-1] != CLOSED and arriving < len(channel):
            channel.pop()
        channel.append(CLOSED)

    def kill(self, name: str, lingers: float, arriving: int = 100) -> None:
        killed = self.activators.pop(name)
        self.lingering += [(self.now + lingers, pod_id(pod)) for pod in killed.flying]
        for channel in [channel for channel in self.channels if channel[1] == name]:
            del self.channels[channel]
        for other in self.activators:
            if (name, other) not in self.cut:
                self.cut_off(name, other, arriving)
            elif not self.channels[name, other]:
                del self.channels[name, other]
            self.cut -= {(name, other), (other, name)}

    def break_link(self, one: str, other: str, arriving: int) -> None:
        """In both directions; both notice in their time. A link is new once they have."""
        both = {(one, other), (other, one)}
        if not any(pair in self.cut or CLOSED in self.channels[pair] for pair in both):
            for pair in sorted(both):
                self.cut_off(*pair, arriving)
                self.cut.add(pair)

    def deliver(self, channel: tuple[str, str]) -> None:
        sender, receiver = channel
        message = self.channels[channel].popleft()
        if not self.channels[channel] and sender not in self.activators:
            del self.channels[channel]
        activator = self.activators[receiver]
        if message == CLOSED:
            activator.sharing.lost(sender, self.now)
            if (receiver, sender) in self.cut:
                # It has noticed, and speaks anew.
                self.cut.discard((receiver, sender))
                self.connect(activator, self.activators[sender])
        elif message[0] == HELLO:
            activator.sharing.joined(sender, message[1], self.now)
        else:
            activator.sharing.receive(sender, message, self.now)

    def dial(self, activator: Activator) -> None:
        """Where nobody listens a connection is refused, once all that was said has been read."""
        for peer in activator.sharing.members.unknown:
            if peer not in self.activators and (peer, activator.name) not in self.channels:
                activator.sharing.absolve(peer, self.now)

    def flush(self) -> None:
        for activator in self.activators.values():
            activator.sharing.flush()

    def waiting(self) -> list[tuple[str, str]]:
        return [channel for channel, messages in self.channels.items() if messages]

    def deliver_all(self) -> None:
        for _ in range(MESSAGES):
            self.flush()
            waiting = self.waiting()
            if not waiting:
                break
            self.deliver(waiting[0])
        else:
            raise AssertionError(f"they talk without end: {self.channels}")
        for activator in self.activators.values():
            self.dial(activator)

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

    def describe(self) -> str:
        return "; ".join(
            f"{name}: {each.arrived - each.served} not served, {each.throttler.waiting} waiting, "
            f"demand {each.throttler.demand}, {list(each.throttler.pods.values())}"
            for name, each in self.activators.items()
        )


WHO = st.integers(0, 5)


@settings(max_examples=150, stateful_step_count=60, deadline=None)
class SharingMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: no pod has more than its limit, and nobody starves."""

    @initialize(count=st.integers(1, 3))
    def start(self, count: int) -> None:
        self.world = World()
        self.killed: list[str] = []
        for _ in range(count):
            self.world.start()

    def one(self, number: int) -> Activator:
        return list(self.world.activators.values())[number % len(self.world.activators)]

    # -- requests --------------------------------------------------------------------------------

    @rule(who=WHO, count=st.integers(1, 4))
    def requests_come(self, who: int, count: int) -> None:
        for _ in range(count):
            self.one(who).arrive()

    @rule(count=st.integers(1, 4))
    def requests_come_everywhere(self, count: int) -> None:
        for activator in self.world.activators.values():
            for _ in range(count):
                activator.arrive()

    @rule(who=WHO, is_refused=st.booleans())
    def a_request_ends(self, who: int, is_refused: bool) -> None:
        if self.one(who).flying:
            self.one(who).finish(is_refused=is_refused)

    @rule(who=WHO)
    def a_client_gives_up(self, who: int) -> None:
        self.one(who).give_up()

    # -- messages and links ------------------------------------------------------------------------

    @rule(which=st.integers(0, 50), count=st.integers(1, 6))
    def messages_arrive(self, which: int, count: int) -> None:
        self.world.flush()
        for _ in range(count):
            waiting = self.world.waiting()
            if waiting:
                self.world.deliver(waiting[which % len(waiting)])

    @rule()
    def all_messages_arrive(self) -> None:
        self.world.deliver_all()

    @precondition(lambda self: len(self.world.activators) > 1)
    @rule(who=WHO, whom=WHO, arriving=st.integers(0, 4))
    def a_link_breaks(self, who: int, whom: int, arriving: int) -> None:
        if self.one(who) is not self.one(whom):
            self.world.break_link(self.one(who).name, self.one(whom).name, arriving)

    @rule(who=WHO)
    def an_activator_dials(self, who: int) -> None:
        self.world.dial(self.one(who))

    @rule(who=WHO)
    def an_activator_asks_again(self, who: int) -> None:
        self.one(who).sharing.remind()

    # -- activators --------------------------------------------------------------------------------

    @precondition(lambda self: len(self.world.activators) < 4)
    @rule()
    def an_activator_starts(self) -> None:
        self.world.start()

    @precondition(lambda self: len(self.world.activators) > 1)
    @rule(
        who=WHO,
        lingers=st.floats(0.0, HAUNTED_SECONDS, exclude_max=True),
        arriving=st.integers(0, 4),
        returns=st.booleans(),
        noticed=st.booleans(),
    )
    def an_activator_is_killed(
        self, who: int, lingers: float, arriving: int, returns: bool, noticed: bool = False
    ) -> None:
        name = self.one(who).name
        self.world.kill(name, lingers, arriving)
        if noticed:
            self.world.deliver_all()
            self.world.deliver_all()
        if returns:
            self.killed.append(name)

    @precondition(lambda self: self.killed and len(self.world.activators) < 4)
    @rule()
    def an_activator_comes_back_under_its_name(self) -> None:
        name = self.killed.pop()
        for other in self.world.activators.values():
            while (name, other.name) in self.world.channels:
                self.world.deliver((name, other.name))
            other.sharing.absolve(name, self.world.now)
        self.world.start(name)
        # It is not ready before what the last one has left is over: a target that nobody else knew
        # leaves nobody who could tell of it.
        self.world.pass_time(HAUNTED_SECONDS)

    @rule(who=WHO)
    def an_activator_is_told_to_end(self, who: int) -> None:
        leaving = [each for each in self.world.activators.values() if each.is_leaving]
        if not self.one(who).is_leaving and len(leaving) + 1 < len(self.world.activators):
            self.one(who).is_leaving = True
            self.one(who).sharing.leave(self.world.now)

    # -- pods --------------------------------------------------------------------------------------

    @rule(pods=st.frozensets(st.integers(1, 5), min_size=1, max_size=4))
    def pods_come_and_go(self, pods: frozenset[int]) -> None:
        self.world.pods = pods

    @rule(unready=st.frozensets(st.integers(1, 5), max_size=3))
    def pods_become_unready_or_ready(self, unready: frozenset[int]) -> None:
        self.world.unready = unready

    @rule(limit=st.integers(1, 3))
    def the_limit_changes(self, limit: int) -> None:
        self.world.change_limit(limit)

    @rule(who=WHO)
    def an_activator_learns_the_limit(self, who: int) -> None:
        self.one(who).learn()

    @rule()
    def everything_settles(self) -> None:
        """What is left behind is over and everybody knows everything: no capacity is unused."""
        world = self.world
        for activator in world.activators.values():
            activator.learn()
            activator.see(world.pods)
        for _ in range(3):
            for activator in world.activators.values():
                activator.catch_up()
                activator.probe()
                activator.sharing.remind()
            world.deliver_all()
            world.pass_time(HAUNTED_SECONDS)
        world.deliver_all()
        waiting = {name: each.throttler.waiting for name, each in world.activators.items()}
        if any(waiting.values()) and all(a.is_up_to_date for a in world.activators.values()):
            busy = world.busy()
            # One that only some have reached may be of no use to its owner.
            views = [set(map(pod_id, a.throttler.ready)) for a in world.activators.values()]
            free = {pod for pod in set.intersection(*views) if busy[pod] < world.limit}
            assert not free, f"{waiting} wait beside {free}: {world.describe()}"

    @rule(who=WHO)
    def an_activator_sees_the_pods(self, who: int) -> None:
        self.one(who).see(self.world.pods)

    @rule(who=WHO)
    def an_activator_probes(self, who: int) -> None:
        self.one(who).probe()

    @rule(who=WHO)
    def an_activator_forgets_the_target(self, who: int) -> None:
        self.one(who).forget()

    @rule(seconds=st.floats(0.01, HAUNTED_SECONDS))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    # -- what holds --------------------------------------------------------------------------------

    @invariant()
    def the_limit_holds_in_every_pod(self) -> None:
        if hasattr(self, "world"):
            most = self.world.highest_limit
            assert all(count <= most for count in self.world.busy().values())

    @invariant()
    def nothing_is_counted_below_zero(self) -> None:
        if hasattr(self, "world"):
            for activator in self.world.activators.values():
                for pod in activator.throttler.pods.values():
                    assert 0 <= pod.lent <= pod.in_flight

    def teardown(self) -> None:
        """Once nothing more happens, everybody who waits is served, and every slot is free."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.unready = frozenset()
        for activator in world.activators.values():
            activator.learn()
        rounds = 20 + sum(activator.arrived for activator in world.activators.values())
        for activator in world.activators.values():
            activator.see(world.pods)
        for _ in range(rounds):
            for activator in world.activators.values():
                activator.catch_up()
                activator.probe()
            world.deliver_all()
            if all(activator.is_at_rest for activator in world.activators.values()):
                return
            world.pass_time(HAUNTED_SECONDS)
            for activator in world.activators.values():
                activator.sharing.remind()
                while activator.flying:
                    activator.finish()
            self.the_limit_holds_in_every_pod()
        raise AssertionError(f"after {rounds} rounds not all are at rest: {world.describe()}")


TestSharingMachine = SharingMachine.TestCase

Step = tuple[str, dict[str, Any]]


def killed(who: int, lingers: float, *, arriving: int = 4, returns: bool = False) -> Step:
    rest = {"who": who, "lingers": lingers, "arriving": arriving, "returns": returns}
    return "an_activator_is_killed", rest


STARTS: Step = ("an_activator_starts", {})


def ends(who: int) -> Step:
    return "a_request_ends", {"who": who, "is_refused": False}


def come(count: int, who: int) -> Step:
    return "requests_come", {"count": count, "who": who}


ARRIVES: Step = ("messages_arrive", {"count": 1, "which": 0})
FOUND: list[list[Step]] = [
    # A lent slot was counted for ever, and three requests waited for it.
    [
        ("start", {"count": 3}),
        ARRIVES,
        killed(3, 0.85),
        killed(5, 0.74),
        *[STARTS] * 2,
        *[ends(0)] * 3,
        STARTS,
        ends(2),
        killed(3, 0.74),
        STARTS,
        killed(0, 0.54),
        ARRIVES,
        killed(0, 0.0),
        ends(0),
        come(3, 0),
        ("pods_come_and_go", {"pods": frozenset({1, 3})}),
        STARTS,
    ],
    # Nobody knew of what one had left that came back under its name.
    [
        ("start", {"count": 2}),
        ("all_messages_arrive", {}),
        ("an_activator_forgets_the_target", {"who": 0}),
        come(2, 1),
        killed(1, 0.0, arriving=0, returns=True),
        ("an_activator_comes_back_under_its_name", {}),
        ("all_messages_arrive", {}),
        come(1, 1),
    ],
]


@pytest.mark.parametrize("steps", FOUND, ids=["a slot lost", "a name come back"])
def test_what_the_machine_has_found(steps: list[Step]) -> None:
    machine = SharingMachine()
    for name, arguments in steps:
        getattr(machine, name)(**arguments)
        machine.the_limit_holds_in_every_pod()
        machine.nothing_is_counted_below_zero()
    machine.teardown()
    assert all(activator.is_at_rest for activator in machine.world.activators.values())


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


def test_a_refused_slot_goes_back_and_its_pod_is_not_given_before_both_have_reached_it() -> None:
    world = World()
    world.pods = frozenset({1})
    two = [world.start(), world.start()]
    world.deliver_all()
    owner = next(each for each in two if each.throttler.own)
    borrower = next(each for each in two if each is not owner)
    borrower.arrive()
    world.deliver_all()
    given = world.messages["grant"]
    borrower.finish(is_refused=True)
    world.deliver_all()
    assert owner.throttler.own == []
    assert next(iter(owner.throttler.pods.values())).suspect
    # It was not given once more before the owner knew.
    assert world.messages["grant"] == given
    owner.probe()
    world.deliver_all()
    assert borrower.flying == []
    for each in (owner, borrower):
        each.probe()
    world.deliver_all()
    assert len(borrower.flying) == 1


# -- what chance has found -----------------------------------------------------------------------


def pods_that_move(*owners: str) -> list[int]:
    """Those that are owned by the last of the activators however many of the first there are."""
    return [
        number
        for number in range(1, 200)
        for pod in [f"pod-{number}@10.0.0.{number}:8080"]
        if all(owner_of(pod, owners[: n + 1]) == owners[n] for n in range(len(owners)))
    ]


def test_an_owner_is_told_of_ends_though_another_was_taken_for_it_in_between() -> None:
    """Owner and borrower hear in different order of one that comes and dies."""
    world = World()
    names = [f"activator-{number}" for number in range(3)]
    world.pods = frozenset(pods_that_move(names[1], names[0], names[2])[:1])
    owner, borrower = world.start(), world.start()
    world.deliver_all()
    for _ in range(LIMIT):
        borrower.arrive()
    world.deliver_all()
    assert len(borrower.flying) == LIMIT
    dead = world.start()
    world.deliver((names[0], names[2]))
    world.deliver((names[1], names[2]))
    world.kill(dead.name, 0.0)
    # The owner knows all of it, and counts anew, before the borrower hears of the dead one.
    for pair in ((names[2], names[0]), (names[0], names[1]), (names[1], names[0])):
        world.flush()
        while world.channels.get(pair):
            world.deliver(pair)
    world.deliver_all()
    while borrower.flying:
        borrower.finish()
    world.deliver_all()
    world.pass_time(HAUNTED_SECONDS)
    for _ in range(LIMIT):
        owner.arrive()
    assert len(owner.flying) == LIMIT


def test_what_a_killed_one_had_in_a_pod_that_is_new_here_stays_taken() -> None:
    """One pod was known to the dead alone."""
    world = World()
    first, second = world.start(), world.start()
    moving = pods_that_move(first.name, second.name)
    new = next(number for number in moving if number not in world.pods)
    second.see(world.pods | {new})
    world.deliver_all()
    while second.throttler.pods[address(new)].in_flight < LIMIT:
        second.arrive()
        world.deliver_all()
    world.kill(second.name, HAUNTED_SECONDS * 0.9)
    world.deliver_all()
    world.pods |= {new}
    first.see(world.pods)
    for _ in range(20):
        first.arrive()
    assert world.busy()[f"pod-{new}@10.0.0.{new}:8080"] == LIMIT
    world.pass_time(HAUNTED_SECONDS)
    assert sum(pod.address == address(new) for pod in first.flying) == LIMIT


def test_an_answer_to_an_earlier_question_opens_nothing() -> None:
    """The pod goes to another owner and comes back while a slot is under way."""
    world = World()
    names = [f"activator-{number}" for number in range(3)]
    world.pods = frozenset(pods_that_move(*names)[:1])
    borrower, owner = world.start(), world.start()
    world.deliver_all()
    back, forth = (borrower.name, owner.name), (owner.name, borrower.name)
    borrower.arrive()
    world.deliver_all()
    borrower.finish()
    borrower.arrive()
    world.flush()
    # It wants another slot, which it gets while it tells of the end of the last one.
    told = [message for message in world.channels[back] if message[0] == "held"]
    world.channels[back] = deque(m for m in world.channels[back] if m[0] != "held")
    while world.channels[back]:
        world.deliver(back)
    world.flush()
    assert world.channels[forth][-1][0] == "grant"
    world.channels[back].extend(told)
    passing = world.start()
    world.deliver((passing.name, owner.name))
    assert owner.throttler.own == []
    world.kill(passing.name, 0.0, arriving=0)
    while world.channels.get((passing.name, owner.name)):
        world.deliver((passing.name, owner.name))
    world.dial(owner)
    world.pass_time(HAUNTED_SECONDS)
    for _ in range(LIMIT):
        owner.arrive()
    world.flush()
    while world.channels[back]:
        world.deliver(back)
    assert owner.flying == []
    world.deliver_all()
    assert sum(world.busy().values()) == LIMIT


def test_a_slot_of_one_that_owns_the_pod_no_more_is_not_used() -> None:
    """It is under way while another becomes the owner, who is told of nothing and gives all."""
    world = World()
    names = [f"activator-{number}" for number in range(3)]
    world.pods = frozenset(pods_that_move(*names)[:1])
    borrower, owner = world.start(), world.start()
    world.deliver_all()
    borrower.arrive()
    world.flush()
    while world.channels[borrower.name, owner.name]:
        world.deliver((borrower.name, owner.name))
    world.flush()
    assert world.messages["grant"] == 1
    late = (owner.name, borrower.name)
    heir = world.start()
    for each in (borrower, heir, heir):
        each.arrive()
    for _ in range(MESSAGES):
        world.flush()
        waiting = [channel for channel in world.waiting() if channel != late]
        if not waiting:
            break
        world.deliver(waiting[0])
    # They take turns, and one of each waits when the first owner's slot arrives.
    assert (len(borrower.flying), len(heir.flying)) == (1, 1)
    world.deliver_all()
    assert sum(world.busy().values()) == LIMIT
    for each in (borrower, heir):
        each.finish()
    world.deliver_all()
    assert (len(borrower.flying), len(heir.flying)) == (1, 1)


def test_a_slot_that_cannot_be_used_is_not_asked_for_again_at_once() -> None:
    world = World()
    owner, borrower = world.start(), world.start()
    known, unknown = pods_that_move(borrower.name, owner.name)[:2]
    owner.see(frozenset({known, unknown}))
    borrower.see(frozenset({known}))
    world.deliver_all()
    for _ in range(2 * LIMIT):
        borrower.arrive()
    world.deliver_all()  # It would not come back from this.
    assert borrower.throttler.waiting == LIMIT
    borrower.see(frozenset({known, unknown}))
    world.deliver_all()
    assert len(borrower.flying) == 2 * LIMIT


def test_what_was_asked_for_again_is_taken_back_by_one_that_is_no_lender_any_more() -> None:
    world = World()
    owner, borrower = world.start(), world.start()
    world.pods = frozenset(pods_that_move(borrower.name, owner.name)[:1])
    for each in (owner, borrower):
        each.see(world.pods)
    world.deliver_all()
    for _ in range(LIMIT + 1):
        borrower.arrive()
    world.deliver_all()
    assert owner.throttler.demand == 1
    borrower.sharing.remind()
    borrower.give_up()
    borrower.see(frozenset())
    world.deliver_all()
    assert owner.throttler.demand == 0


def test_slots_of_one_that_cannot_be_heard_stay_taken_until_it_is_heard_again() -> None:
    world = World()
    owner, borrower = world.start(), world.start()
    world.pods = frozenset(pods_that_move(borrower.name, owner.name)[:1])
    for each in (owner, borrower):
        each.see(world.pods)
    world.deliver_all()
    for _ in range(LIMIT):
        borrower.arrive()
    world.deliver_all()
    world.break_link(owner.name, borrower.name, 0)
    world.deliver((borrower.name, owner.name))
    world.pass_time(2 * HAUNTED_SECONDS)
    owner.arrive()
    assert (len(owner.flying), len(borrower.flying)) == (0, LIMIT)
    borrower.finish()
    world.deliver_all()
    assert (len(owner.flying), len(borrower.flying)) == (1, LIMIT - 1)


def test_without_a_limit_any_more_nothing_is_shared_and_nothing_is_counted_twice() -> None:
    world = World()
    two = [world.start(), world.start()]
    world.deliver_all()
    for each in two:
        for _ in range(4 * LIMIT):
            each.arrive()
    world.deliver_all()
    assert sum(world.busy().values()) == 2 * LIMIT
    for each in two:
        each.learn_that_there_is_no_limit()
        assert each.throttler.own == each.throttler.ready
        assert each.throttler.demand == 0 and len(each.flying) == 4 * LIMIT
        # One learns of it before the other.
        world.deliver_all()
    for each in two:
        while each.flying:
            each.finish()
        assert all(pod.in_flight == pod.lent == 0 for pod in each.throttler.pods.values())
    # And back again.
    for each in two:
        each.learn()
    world.deliver_all()
    for each in two:
        for _ in range(2 * LIMIT):
            each.arrive()
    world.deliver_all()
    assert sum(world.busy().values()) == 2 * LIMIT


def test_a_lent_slot_counts_for_the_limit_but_not_as_load_of_the_owner() -> None:
    world = World()
    owner, borrower = world.start(), world.start()
    lent = pods_that_move(borrower.name, owner.name)[0]
    world.pods = frozenset({lent, pods_that_move(owner.name, borrower.name)[0]})
    for each in (owner, borrower):
        each.see(world.pods)
    world.deliver_all()
    for _ in range(LIMIT + 1):
        borrower.arrive()
    world.deliver_all()
    assert owner.throttler.pods[address(lent)].in_flight == 1
    assert owner.throttler.busy_pods() == {}
    assert borrower.throttler.busy_pods()[f"pod-{lent}"] == 1
