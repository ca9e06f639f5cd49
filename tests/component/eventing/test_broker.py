"""The broker's data plane on real sockets: ingress, disk, dispatcher, subscribers.

No Kubernetes: brokers and Triggers are put in by hand.
"""

import asyncio
import base64
import contextlib
import json
from collections import Counter

import pytest
from aiohttp import ClientSession, web

from eventing.api.deliveryoptions import NO_OPTIONS
from eventing.engines.local.config import LogLimits
from eventing.engines.local.engine import LocalEngine
from eventing.filters import compile_filters
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.addressable import Addressable
from eventing.runtime.client import DeliveryClient
from eventing.runtime.config import ClientLimits, IngressLimits, SubscriptionLimits
from eventing.runtime.ingress import Ingress
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.places import BROKER, Place
from eventing.runtime.policy import Backoff, DeliveryPolicy
from eventing.runtime.services import Services
from eventing.runtime.spec import Reply, SubscriptionSpec
from eventing.runtime.target import parse_target
from hearth.kube.clock import wall_clock
from hearth.observability.traces.tracer import Tracer

KEY = Place(BROKER, "ns", "default")
FAST = DeliveryPolicy(retries=3, backoff=Backoff.EXPONENTIAL, delay_seconds=0.01)
STRUCTURED = {"content-type": "application/cloudevents+json"}


def headers(event_id, **more):
    return {
        "ce-specversion": "1.0",
        "ce-id": str(event_id),
        "ce-source": "/test",
        "ce-type": "t",
        "content-type": "application/json",
    } | {f"ce-{name}": value for name, value in more.items()}


class Sink:
    """A subscriber: notes what it gets; answers what it is told to."""

    def __init__(self, answer=None):
        self.got = []
        self._answer = answer or (lambda request, number: web.Response(status=200))
        self._changed = asyncio.Condition()
        self.url = ""
        self.over = asyncio.Event()

    async def handle(self, request):
        body = await request.read()
        self.got.append((request.headers.copy(), body))
        async with self._changed:
            self._changed.notify_all()
        answer = self._answer(request, len(self.got))
        return await self._unless_over(answer) if asyncio.iscoroutine(answer) else answer

    async def _unless_over(self, answer):
        """An answer that takes its time ends with the sink."""
        answering = asyncio.ensure_future(answer)
        over = asyncio.ensure_future(self.over.wait())
        await asyncio.wait({answering, over}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answering, over):
            task.cancel()
        await asyncio.wait({answering, over})
        return web.Response(status=503) if answering.cancelled() else answering.result()

    def ids(self):
        return [found["ce-id"] for found, _ in self.got]

    async def until(self, condition, seconds=60):
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def until_ids(self, *wanted):
        await self.until(lambda: set(map(str, wanted)) <= set(self.ids()))


@contextlib.asynccontextmanager
async def sink(answer=None):
    found = Sink(answer)
    app = web.Application()
    app.router.add_post("/{path:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield found
    finally:
        found.over.set()
        await runner.cleanup()


class Plane:
    """A running data plane with one broker."""

    def __init__(self, runtime, log, url, session, metrics):
        self.runtime, self.log, self.url = runtime, log, url
        self.session, self.metrics = session, metrics

    async def subscribe(
        self,
        uid,
        to,
        *,
        filters=(),
        policy=FAST,
        dead_letter=None,
        reply=Reply.OWN_LOG,
        options=NO_OPTIONS,
    ):
        await self.runtime.subscribe(
            SubscriptionSpec(
                uid=uid,
                namespace=KEY.namespace,
                name=uid,
                filter=compile_filters(list(filters)),
                policy=policy,
                target=parse_target(to.url, None) if to is not None else None,
                dead_letter=parse_target(dead_letter.url, None) if dead_letter else None,
                reply=reply,
                options=options,
                place=KEY,
            )
        )

    async def send(self, event_id, data=b"{}", **more):
        async with self.session.post(
            self.url, data=data, headers=headers(event_id, **more)
        ) as answer:
            return answer.status

    async def idle(self, uid, seconds=60):
        async with asyncio.timeout(seconds):
            while not self.runtime.subscription(uid).idle:
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def plane(
    folder,
    *,
    limits=None,
    held=None,
    make_engine=LocalEngine,
    observer=None,
    clock=wall_clock,
    tracer=None,
):
    engine = make_engine(folder, limits)
    client = DeliveryClient(ClientLimits())
    budget = MemoryBudget(held or SubscriptionLimits())
    metrics = BrokerMetrics()
    log = await engine.open("broker")
    tracer = tracer or Tracer("broker", "ns")
    services = Services(client, budget, clock, tracer=tracer)
    runtime = Addressable(KEY, log, services=services, metrics=metrics, observer=observer)
    server = Ingress(
        lambda key: runtime if key == KEY else None, limits=IngressLimits(), tracer=tracer
    )
    port = await server.start("127.0.0.1", 0)
    sweeping = asyncio.create_task(client.run())
    async with ClientSession() as session:
        try:
            yield Plane(runtime, log, f"http://127.0.0.1:{port}/ns/default", session, metrics)
        finally:
            await session.close()
            await server.stop(grace_seconds=2)
            runtime.close()
            await client.close()
            sweeping.cancel()
            await asyncio.wait([sweeping])
            await engine.close()


# -- the way of an event -----------------------------------------------------------------------


async def test_an_event_reaches_its_subscriber_as_it_was_sent(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        assert await broker.send(1, b'{"a": 1.0}', subject="s%20x", ext="e") == 202
        await target.until_ids(1)
        [(got, body)] = target.got
        assert body == b'{"a": 1.0}'
        assert got["ce-subject"] == "s%20x"
        assert got["ce-ext"] == "e"
        assert got["content-type"] == "application/json"
        assert got["prefer"] == "reply"
        assert got["Kn-Namespace"] == "ns"
        assert "ce-knativearrivaltime" in got
        assert "ce-knativebrokerttl" not in got


async def test_structured_and_batched_events_are_taken(tmp_path):
    base = {"specversion": "1.0", "source": "/s", "type": "t"}
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        one = json.dumps(base | {"id": "1", "data": {"x": 1}})
        async with broker.session.post(broker.url, data=one, headers=STRUCTURED) as answer:
            assert answer.status == 202
        many = json.dumps([base | {"id": "2"}, base | {"id": "3"}])
        kind = {"content-type": "application/cloudevents-batch+json"}
        async with broker.session.post(broker.url, data=many, headers=kind) as answer:
            assert answer.status == 202
        await target.until_ids(1, 2, 3)


async def test_filters_choose(tmp_path):
    async with sink() as first, sink() as second, plane(tmp_path) as broker:
        await broker.subscribe("a", first, filters=[{"exact": {"ext": "yes"}}])
        await broker.subscribe("b", second)
        await broker.send(1, ext="no")
        await broker.send(2, ext="yes")
        await second.until_ids(1, 2)
        await first.until_ids(2)
        assert first.ids() == ["2"]


async def test_a_new_trigger_begins_with_the_next_event(tmp_path):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.send(1)
        await broker.subscribe("t", target)
        await broker.send(2)
        await target.until_ids(2)
        await broker.idle("t")
        assert target.ids() == ["2"]


# -- failures ----------------------------------------------------------------------------------


async def test_failures_are_retried(tmp_path):
    def flaky(request, number):
        return web.Response(status=503 if number < 3 else 200)

    async with sink(flaky) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await broker.send(1)
        await target.until(lambda: len(target.got) == 3)
        await broker.idle("t")
        assert target.ids() == ["1", "1", "1"]


async def test_what_cannot_be_delivered_ends_in_the_dead_letter_sink(tmp_path):
    def broken(request, number):
        return web.Response(status=500, text="no way")

    async with sink(broken) as target, sink() as dead, plane(tmp_path) as broker:
        await broker.subscribe("t", target, dead_letter=dead)
        await broker.send(1, b'{"keep": "me"}')
        await dead.until_ids(1)
        await broker.idle("t")
        [(got, body)] = dead.got
        assert body == b'{"keep": "me"}'
        assert got["ce-knativeerrordest"] == target.url
        assert got["ce-knativeerrorcode"] == "500"
        assert base64.b64decode(got["ce-knativeerrordata"]) == b"no way"
        assert len(target.got) == 1 + FAST.retries


async def test_a_refused_event_is_not_tried_again(tmp_path):
    def refusing(request, number):
        return web.Response(status=400)

    async with sink(refusing) as target, sink() as dead, plane(tmp_path) as broker:
        await broker.subscribe("t", target, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        assert len(target.got) == 1


async def test_no_answer_in_time_is_a_failure(tmp_path):
    async def slow(request):
        await asyncio.Event().wait()

    policy = DeliveryPolicy(timeout_seconds=0.2)
    async with (
        sink(lambda request, number: slow(request)) as target,
        sink() as dead,
        plane(tmp_path) as broker,
    ):
        await broker.subscribe("t", target, policy=policy, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        [(got, _)] = dead.got
        assert got["ce-knativeerrorcode"] == "500"


def failure(dead):
    """Whose failure the first dead letter tells of, and with which code."""
    letter, _ = dead.got[0]
    return letter["ce-knativeerrordest"], letter["ce-knativeerrorcode"]


async def test_a_target_that_is_not_there_is_a_failure(tmp_path):
    async with sink() as dead, plane(tmp_path) as broker:
        gone = Sink()
        gone.url = "http://127.0.0.1:9/"
        await broker.subscribe("t", gone, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        assert failure(dead) == (gone.url, "500")


async def test_a_host_that_cannot_be_one_is_a_failure(tmp_path):
    async with sink() as dead, plane(tmp_path) as broker:
        gone = Sink()
        gone.url = f"http://{'x' * 100}.example/"
        await broker.subscribe("t", gone, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        assert failure(dead) == (gone.url, "500")


async def test_draining_lets_deliveries_end_and_begins_none(tmp_path):
    release = asyncio.Event()

    async def hold(request):
        await release.wait()
        return web.Response(status=200)

    async with sink(lambda request, number: hold(request)) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await broker.send(1)
        await target.until_ids(1)
        broker.runtime.drain()
        await broker.send(2)
        assert broker.runtime.busy
        release.set()
        async with asyncio.timeout(60):
            while broker.runtime.busy:
                await asyncio.sleep(0.005)
        assert target.ids() == ["1"]
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await target.until_ids(2)
        await broker.idle("t")
        assert target.ids() == ["2"]


async def test_a_stuck_subscriber_delays_no_other(tmp_path):
    async def never(request):
        await asyncio.Event().wait()

    async with (
        sink(lambda request, number: never(request)) as stuck,
        sink() as target,
        plane(tmp_path) as broker,
    ):
        await broker.subscribe("stuck", stuck)
        await broker.subscribe("t", target)
        for number in range(300):
            assert await broker.send(number) == 202
        await target.until_ids(*range(300))


# -- replies -----------------------------------------------------------------------------------


def replying(request, number):
    if request.headers["ce-type"] != "t":
        return web.Response(status=200)
    reply = {name: value for name, value in headers("r1").items()} | {"ce-type": "reply"}
    return web.Response(status=200, headers=reply, body=b'"answer"')


async def test_a_reply_enters_the_broker(tmp_path):
    async with sink(replying) as first, sink() as second, plane(tmp_path) as broker:
        await broker.subscribe("a", first, filters=[{"exact": {"type": "t"}}])
        await broker.subscribe("b", second, filters=[{"exact": {"type": "reply"}}])
        await broker.send(1)
        await second.until_ids("r1")
        [(_, body)] = second.got
        assert body == b'"answer"'


async def test_what_an_answer_of_202_carries_is_no_reply(tmp_path):
    def accepting(request, number):
        answer = replying(request, number)
        if number == 1:
            answer.set_status(202)
        return answer

    async with sink(accepting) as first, sink() as second, plane(tmp_path) as broker:
        await broker.subscribe("a", first, filters=[{"exact": {"type": "t"}}])
        await broker.subscribe("b", second, filters=[{"exact": {"type": "reply"}}])
        await broker.send(1)
        await broker.idle("a")
        await broker.send(2)
        await second.until_ids("r1")  # the reply to the second event: it is the only one
        assert (len(first.got), len(second.got)) == (2, 1)


async def test_a_reply_that_does_not_fit_is_a_failure(tmp_path):
    """Its attributes become headers of deliveries, as those of any event."""
    base = {"specversion": "1.0", "id": "r", "source": "/s", "type": "reply"}
    large = json.dumps(base | {f"x{number}": number for number in range(9000)}).encode()

    def answer(request, number):
        return web.Response(status=200, headers=STRUCTURED, body=large)

    async with sink(answer) as target, sink() as dead, plane(tmp_path) as broker:
        await broker.subscribe("t", target, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        assert dead.got[0][0]["ce-knativeerrorcode"] == "502"


async def test_a_loop_of_replies_ends(tmp_path):
    def echo(request, number):
        reply = headers(number)
        return web.Response(status=200, headers=reply, body=b"{}")

    async with sink(echo) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await broker.send(0, knativebrokerttl="5")
        await target.until(lambda: len(target.got) == 4)
        await broker.idle("t")
        assert len(target.got) == 4


async def test_an_answer_that_is_no_event_is_a_failure(tmp_path):
    async with (
        sink(lambda request, number: web.Response(status=200, text="thanks")) as target,
        sink() as dead,
        plane(tmp_path) as broker,
    ):
        await broker.subscribe("t", target, dead_letter=dead)
        await broker.send(1)
        await dead.until_ids(1)
        assert dead.got[0][0]["ce-knativeerrorcode"] == "502"


async def test_a_reply_may_have_a_place_of_its_own(tmp_path):
    """As a Channel's Subscription has it; the Broker's own log does not see it."""
    async with (
        sink(replying) as first,
        sink() as second,
        sink() as place,
        plane(tmp_path) as broker,
    ):
        await broker.subscribe("a", first, reply=parse_target(place.url, None))
        await broker.subscribe("b", second)
        await broker.send(1)
        await place.until_ids("r1")
        await broker.idle("a")
        await broker.idle("b")
        [(got, body)] = place.got
        assert body == b'"answer"'
        assert "prefer" not in got
        assert "ce-knativearrivaltime" not in got
        assert second.ids() == ["1"]


async def test_an_event_whose_reply_finds_nobody_is_a_dead_letter(tmp_path):
    def broken(request, number):
        return web.Response(status=500)

    async with (
        sink(replying) as first,
        sink(broken) as place,
        sink() as dead,
        plane(tmp_path) as broker,
    ):
        to = parse_target(place.url, None)
        await broker.subscribe("a", first, reply=to, dead_letter=dead)
        await broker.send(1, b'{"keep": "me"}')
        await dead.until_ids(1)
        await broker.idle("a")
        [(got, body)] = dead.got
        assert (got["ce-knativeerrordest"], got["ce-knativeerrorcode"]) == (place.url, "500")
        assert body == b'{"keep": "me"}'
        assert (len(first.got), len(place.got)) == (1, 1 + FAST.retries)


async def test_replies_without_a_place_are_discarded(tmp_path):
    async with sink(replying) as first, sink() as second, plane(tmp_path) as broker:
        await broker.subscribe("a", first, reply=None)
        await broker.subscribe("b", second)
        await broker.send(1)
        await first.until_ids(1)
        await second.until_ids(1)
        await broker.idle("a")
        await broker.idle("b")
        assert second.ids() == ["1"]


async def test_a_trace_goes_on_through_retry_reply_and_dead_letter(tmp_path):
    trace = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "a=1",
    }

    def answer(request, number):
        if request.headers["ce-type"] != "t":
            return web.Response(status=400)
        return web.Response(status=503) if number == 1 else replying(request, number)

    async with sink(answer) as target, sink() as dead, plane(tmp_path) as broker:
        await broker.subscribe("t", target, dead_letter=dead)
        async with broker.session.post(
            broker.url, data=b"{}", headers=headers(1) | trace
        ) as accepted:
            assert accepted.status == 202
        await dead.until_ids("r1")
        assert target.ids() == ["1", "1", "r1"]
        for got, _ in (*target.got, *dead.got):
            assert {name: got[name] for name in trace} == trace


# -- the log -----------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_it_stopped(tmp_path):
    held = asyncio.Event()

    async def hold(request):
        await held.wait()
        return web.Response(status=200)

    async with sink(lambda request, number: hold(request)) as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        for number in range(5):
            await broker.send(number)
        await target.until_ids(0)
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await broker.send(5)
        await target.until_ids(*range(6))
        await broker.idle("t")
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)
        await broker.send(6)
        await target.until_ids(6)
        await broker.idle("t")
        assert target.ids() == ["6"]


async def test_more_than_memory_holds_is_delivered_from_disk(tmp_path):
    held = asyncio.Event()

    async def hold(request):
        await held.wait()
        return web.Response(status=200)

    limits = LogLimits(segment_bytes=30_000)
    held_limits = SubscriptionLimits(held_bytes=20_000)
    async with (
        sink(lambda request, number: hold(request)) as target,
        plane(tmp_path, limits=limits, held=held_limits) as broker,
    ):
        await broker.subscribe("t", target)
        await broker.idle("t")
        for number in range(200):
            assert await broker.send(number, b"x" * 1000) == 202
        assert not broker.runtime.subscription("t").live
        held.set()
        await target.until_ids(*range(200))
        await broker.idle("t")
        assert Counter(target.ids()) == Counter(map(str, range(200)))
        await broker.send("last")
        await target.until_ids("last")


async def test_short_memory_stops_nobody(tmp_path):
    limits = SubscriptionLimits(process_bytes=20_000, short_fetch_bytes=3000)
    release = asyncio.Event()

    async def hold(request):
        await release.wait()
        return web.Response(status=200)

    async with (
        sink(lambda request, number: hold(request)) as stuck,
        sink() as target,
        plane(tmp_path, held=limits) as broker,
    ):
        await broker.subscribe("stuck", stuck)
        await broker.subscribe("t", target)
        for number in range(100):
            assert await broker.send(number, b"x" * 1000) == 202
        await target.until_ids(*range(100))
        release.set()
        await stuck.until_ids(*range(100))
        await broker.idle("stuck")
        await broker.idle("t")
        assert broker.runtime._services.budget.held_bytes == 0


async def test_delivered_events_are_removed_from_disk(tmp_path):
    limits = LogLimits(segment_bytes=5000, kept_bytes=0)
    async with sink() as target, plane(tmp_path, limits=limits) as broker:
        await broker.subscribe("t", target)
        for number in range(50):
            await broker.send(number, b"x" * 1000)
        await target.until_ids(*range(50))
        await broker.idle("t")
        await broker.runtime.checkpoint()
        assert broker.log.start > 40
        assert broker.log.stats().size_bytes < 10_000


async def test_a_full_log_asks_producers_to_wait_and_loses_nothing(tmp_path):
    held = asyncio.Event()

    async def hold(request):
        await held.wait()
        return web.Response(status=200)

    limits = LogLimits(segment_bytes=5000, log_bytes=20_000)
    async with (
        sink(lambda request, number: hold(request)) as target,
        plane(tmp_path, limits=limits) as broker,
    ):
        await broker.subscribe("t", target)
        accepted = []
        for number in range(40):
            async with broker.session.post(
                broker.url, data=b"x" * 1000, headers=headers(number)
            ) as answer:
                if answer.status == 202:
                    accepted.append(number)
                else:
                    assert answer.status == 429
                    assert int(answer.headers["retry-after"]) > 0
        assert 0 < len(accepted) < 40
        held.set()
        await target.until_ids(*accepted)
        await broker.idle("t")
        await broker.runtime.checkpoint()
        assert await broker.send("again") == 202


async def test_a_log_that_is_full_of_events_with_replies_is_emptied_by_them(tmp_path):
    held = asyncio.Event()

    async def answer(request, number):
        await held.wait()
        if request.headers["ce-type"] == "reply":
            return web.Response(status=202)
        fields = {**headers(f"reply-{number}", type="reply")}
        return web.Response(body=b"x" * 1000, headers=fields)

    limits = LogLimits(segment_bytes=20_000, log_bytes=200_000)
    async with sink(answer) as target, plane(tmp_path, limits=limits) as broker:
        await broker.subscribe("t", target)
        accepted = 0
        while await broker.send(accepted, b"x" * 1000) == 202:
            accepted += 1
        assert accepted > 10
        held.set()
        async with asyncio.timeout(40):
            while len(target.got) < 2 * accepted:
                await broker.runtime.checkpoint()  # lets go of files, as a process does
                await asyncio.sleep(0.05)
            while await broker.send("again", b"x" * 1000) != 202:
                await broker.runtime.checkpoint()
        assert broker.log.stats().size_bytes < limits.log_bytes


async def test_disk_errors_are_answered_and_passed(tmp_path, monkeypatch):
    async with sink() as target, plane(tmp_path) as broker:
        await broker.subscribe("t", target)

        def full(fd, data):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("eventing.engines.local.segments.write_all", full)
            async with broker.session.post(broker.url, data=b"", headers=headers(1)) as answer:
                assert answer.status == 503
                assert "No space left" in await answer.text()
                assert "retry-after" in answer.headers
        assert await broker.send(2) == 202
        await target.until_ids(2)
        assert target.ids() == ["2"]


async def test_two_brokers_do_not_share_a_folder(tmp_path):
    async with plane(tmp_path):
        with pytest.raises(RuntimeError, match="another broker"):
            LocalEngine(tmp_path)
