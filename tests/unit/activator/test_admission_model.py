"""One activator, whatever happens to it in whatever order.

Requests of two revisions (one perhaps with sticky sessions) and a plain Service come, wait, are
sent, answered, lost, given up and timed out, while pods come, go, refuse connections, crash and are
limited otherwise. The world (``admission``) checks at every admission that the pod is ready, that
it gets no more than
``containerConcurrency`` and that nobody who came earlier waits; at every answer that it is the
first. Between steps nobody waits beside free capacity, every count is what counting anew gives, and
bounds hold. In the end everything is healed: all are answered, nothing is counted anywhere, and a
new request reaches every revision.

It was made sure that the model can fail: each of these changes to the code, one at a time, made it
fail within 500 runs.

* ``throttler``: a newcomer may pass those who wait; the limit is not asked for; slots are not
  counted anew when the limit changes; who leaves stays in the demand; a pod that refused is used
  on; a pod that is over is not marked; a burst is held back for ever.
* ``backlog``: last come, first served; those that were refused together turn their order; who was
  refused goes last; octets are not given back, those that came late neither; the bound of all is
  each one's.
* ``exchange``: a refused request keeps its slot; no slot comes back; what is left behind counts no
  more; nobody is let go after an answer, a failure, or when a client goes; who was refused looks
  for no other pod; nobody looks for a pod that refused; who is gone keeps its place; a request is
  sent again without end.
* ``leftovers``: a slot is kept; is given back twice; is given on to nobody.
* ``backends``: new pods let nobody go; a pod that is ready again is not looked at.
* ``balancing``: one too many in a pod; one pod is not asked.

Three changes it passes, for they change nothing that can be seen: ``Throttler._taken`` counted too
low (it only spares a look at pods that are full), and either of the two questions of a callback of
a dial, of which one implies the other.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activator.backends import Backend
from activator.endpoints import State
from activator.http.events import Lost
from activator.http.refusals import BAD_REQUEST
from activator.pods import Pod
from activator.throttler import SPREAD_SECONDS
from serving.api.affinity import Affinity
from serving.api.config.gateway import BacklogLimits
from tests.unit.activator.admission import SPREAD_TARGET, TIMEOUT_SECONDS, Client, World

LIMITS = BacklogLimits(requests=6, octets=600, all_requests=10, all_octets=1000)
BODY = 90
# Of sums and differences of times.
ROUNDING = 1e-6
NUMBER = st.integers(0, 30)
CONCURRENCY = st.sampled_from([0, 1, 2, 4])
AFFINITIES = st.sampled_from([None, Affinity(header="x-user"), Affinity(cookie="c")])
STATES = st.dictionaries(st.integers(1, 3), st.sampled_from(list(State)))


@settings(max_examples=120, stateful_step_count=50, deadline=None)
class AdmissionMachine(RuleBasedStateMachine):
    world: World

    @initialize(one=CONCURRENCY, other=CONCURRENCY, states=STATES, affinity=AFFINITIES)
    def begin(
        self, one: int, other: int, states: dict[int, State], affinity: Affinity | None
    ) -> None:
        self.world = World(LIMITS)
        other_revision = self.world.add("other", other, affinity=affinity)
        self.revisions = [self.world.add("one", one), other_revision]
        self.plain = self.world.add("plain", is_revision=False)
        self.backends = [*self.revisions, self.plain]
        self.listed: dict[Backend, dict[int, State]] = {}
        for backend in self.backends:
            self.list_pods(backend, states)

    def list_pods(self, backend: Backend, states: dict[int, State]) -> None:
        self.listed[backend] = states
        self.world.list_pods(backend, states)

    def pods(self) -> list[tuple[Backend, Pod]]:
        return [(each, pod) for each in self.backends for pod in each.throttler.pods.values()]

    def rotated(self, among: list[Any], number: int) -> list[Any]:
        start = number % len(among)
        return among[start:] + among[:start]

    def chosen(self, among: list[Any], number: int) -> Any:
        return among[number % len(among)]

    # -- requests --------------------------------------------------------------------------------

    @rule(which=NUMBER, count=st.integers(1, 5), user=st.integers(0, 2))
    def requests_come(self, which: int, count: int, user: int) -> None:
        for _ in range(count):
            self.world.arrive(self.chosen(self.backends, which), user=user)

    @rule(which=NUMBER)
    def a_request_comes_whose_body_does_not(self, which: int) -> None:
        self.world.arrive(self.chosen(self.backends, which), b"POST", BODY)

    def alive(self) -> list[Client]:
        return [client for client in self.world.clients if not client.is_over]

    @precondition(lambda self: any(not client.is_whole for client in self.alive()))
    @rule(which=NUMBER)
    def a_body_comes(self, which: int) -> None:
        partial = [client for client in self.alive() if not client.is_whole]
        self.world.send_rest(self.chosen(partial, which))

    @precondition(lambda self: self.alive())
    @rule(which=NUMBER, is_broken=st.booleans())
    def a_client_goes(self, which: int, is_broken: bool) -> None:
        client = self.chosen(self.alive(), which)
        if is_broken and not client.has_begun:
            self.world.refuse(client, BAD_REQUEST)
        else:
            self.world.hang_up(client)

    # -- connections and applications ------------------------------------------------------------

    @precondition(lambda self: self.world.pools.dials)
    @rule(which=NUMBER, count=st.integers(1, 4))
    def dials_are_over(self, which: int, count: int) -> None:
        for dial in self.rotated(self.world.pools.dials, which)[:count]:
            self.world.pools.finish(dial)
            self.nobody_waits_beside_free_capacity()

    @precondition(lambda self: self.world.upstreams)
    @rule(which=NUMBER, count=st.integers(1, 4))
    def applications_answer(self, which: int, count: int) -> None:
        for upstream in self.rotated(self.world.upstreams, which)[:count]:
            upstream.answer()
            self.nobody_waits_beside_free_capacity()

    @precondition(lambda self: self.world.upstreams)
    @rule(which=NUMBER)
    def an_application_begins_to_answer(self, which: int) -> None:
        upstream = self.chosen(self.world.upstreams, which)
        if not upstream.has_begun:
            upstream.begin()

    @precondition(lambda self: self.world.upstreams)
    @rule(which=NUMBER, cause=st.sampled_from(list(Lost)), count=st.integers(1, 4))
    def requests_are_lost(self, which: int, cause: Lost, count: int) -> None:
        for upstream in self.rotated(self.world.upstreams, which)[:count]:
            if not (upstream.has_begun and cause is Lost.REFUSED):
                upstream.lose(cause)

    @rule(times=st.integers(2, 4))
    def connections_end_again_and_again(self, times: int) -> None:
        for _ in range(times):
            for upstream in list(self.world.upstreams):
                if not upstream.has_begun:
                    upstream.lose()
            for dial in list(self.world.pools.dials):
                self.world.pools.finish(dial)

    # -- pods ------------------------------------------------------------------------------------

    @rule(which=NUMBER, states=STATES)
    def pods_change(self, which: int, states: dict[int, State]) -> None:
        self.list_pods(self.chosen(self.backends, which), states)

    @precondition(lambda self: self.pods())
    @rule(which=NUMBER)
    def a_pod_crashes_and_listens_no_more(self, which: int) -> None:
        _, pod = self.chosen(self.pods(), which)
        self.world.deaf.add(pod.address)
        self.world.crash(pod)

    @precondition(lambda self: self.world.deaf)
    @rule(which=NUMBER)
    def a_pod_listens_again(self, which: int) -> None:
        self.world.deaf.discard(self.chosen(sorted(self.world.deaf), which))

    @precondition(lambda self: self.world.looking)
    @rule(which=NUMBER)
    def a_pod_is_looked_at(self, which: int) -> None:
        self.world.look(*self.chosen(list(self.world.looking), which))

    @rule(which=NUMBER, concurrency=CONCURRENCY)
    def a_limit_changes(self, which: int, concurrency: int) -> None:
        self.world.configure(self.chosen(self.revisions, which), concurrency)

    @rule(which=NUMBER)
    def a_revision_is_deleted(self, which: int) -> None:
        self.chosen(self.revisions, which).retire()

    @rule(seconds=st.sampled_from([0.05, 0.5, 2.0, 7.0, TIMEOUT_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    # -- what holds ------------------------------------------------------------------------------

    @invariant()
    def nobody_waits_beside_free_capacity(self) -> None:
        for backend in getattr(self, "backends", ()):
            throttler = backend.throttler
            ends_in = throttler.spread_ends_in(self.world.now)
            assert ends_in is None or ends_in <= SPREAD_SECONDS + ROUNDING
            if throttler.waiting:
                # Without a limit a burst is spread for a while, and then it goes.
                limit = throttler.container_concurrency
                if not limit and ends_in:
                    limit = SPREAD_TARGET
                free = [pod for pod in throttler.ready if not limit or pod.in_flight < limit]
                assert not free, f"{throttler.waiting} wait beside {free}"

    @invariant()
    def counts_are_what_counting_gives(self) -> None:
        for backend in getattr(self, "backends", ()):
            throttler = backend.throttler
            here = [client for client in self.world.clients if client.backend is backend]
            waiting = [client for client in here if client.waits]
            assert throttler.waiting == throttler.demand == len(waiting)
            sizes = [client.head.octets() for client in waiting]
            # Of a body that was awaited the head tells.
            came = [client for client in waiting if client.head.length and client.is_whole]
            held = [BODY for client in came if not client.head.body]
            assert throttler.backlog.octets == sum(sizes) + sum(held)
            assert backend.stats.active == sum(not client.is_over for client in here)
            for pod in throttler.pods.values():
                assert pod.in_flight == self.world.slots(pod)

    @invariant()
    def all_that_waits_is_within_bounds(self) -> None:
        backlogs = [backend.throttler.backlog for backend in getattr(self, "backends", ())]
        if backlogs:
            room = self.world.room
            assert room.requests == sum(map(len, backlogs))
            assert room.octets == sum(backlog.octets for backlog in backlogs)
            # Those that had a pod and lost it are let in again: no more than there were places.
            returned = sum(client.pod is not None and client.waits for client in self.alive())
            assert room.requests - returned <= LIMITS.all_requests
            assert all(len(each) - returned <= LIMITS.requests for each in backlogs)

    @invariant()
    def a_pod_that_refused_is_looked_for(self) -> None:
        """Whether or not anybody waits: it would be lost to all who come later."""
        for backend, pod in self.pods() if hasattr(self, "backends") else ():
            assert not pod.is_left_out or (backend, pod) in self.world.looking

    @invariant()
    def no_connection_is_kept_to_a_pod_that_is_over(self) -> None:
        if hasattr(self, "backends"):
            assert self.world.pools.idle.keys() <= {pod for _, pod in self.pods()}

    @invariant()
    def nobody_is_there_after_its_time(self) -> None:
        for client in (getattr(self, "world", None) and self.alive()) or ():
            assert self.world.now < client.arrived_at + client.backend.spec.timeout_seconds

    def teardown(self) -> None:
        """Everything is healed: everybody is answered, and everything is free again."""
        if not hasattr(self, "backends"):
            return
        world = self.world
        world.deaf.clear()
        for backend in self.backends:
            if backend is not self.plain:
                world.configure(backend, backend.throttler.container_concurrency)
            self.list_pods(backend, {1: State.READY, 2: State.READY})
        self._go_on()
        last = [world.arrive(backend) for backend in self.backends for _ in range(3)]
        self._go_on()
        assert [client.status for client in last] == [200] * len(last), [c.error for c in last]
        assert world.room.requests == world.room.octets == 0
        for _, pod in self.pods():
            assert pod.ready and pod.in_flight == 0

    def _go_on(self) -> None:
        for _ in range(200):
            world = self.world
            for backend, pod in list(world.looking):
                world.look(backend, pod)
            for client in self.alive():
                if not client.is_whole:
                    world.send_rest(client)
            if not (world.pools.dials or world.upstreams):
                break
            if world.pools.dials:
                world.pools.finish(world.pools.dials[0])
            if world.upstreams:
                world.upstreams[0].answer()
            self.nobody_waits_beside_free_capacity()
            self.counts_are_what_counting_gives()
        assert not self.alive(), [client.exchange.state for client in self.alive()]


TestAdmissionMachine = AdmissionMachine.TestCase
