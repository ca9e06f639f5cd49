"""A Parallel whose branches are joined, against a real API server; and its log after a crash."""

import asyncio
import contextlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from aiohttp import web

from eventing.api.joins import DATA, EVENTS, JOIN, JOIN_BRANCH, JOIN_TIMEOUT, JoinOptions
from eventing.codec import Event
from eventing.engines.local.engine import LocalEngine
from eventing.engines.seam import Start
from eventing.runtime import main as broker
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.config import SubscriptionLimits
from eventing.runtime.intake import prepare_unstamped
from eventing.runtime.joins.joiner import CONSUMER, Joiner, JoinServices
from eventing.runtime.joins.parts import MARK, NOTHING, REPLIED, Part, new_token
from eventing.runtime.metrics import JoinCounters
from eventing.runtime.places import CHANNEL, Place
from eventing.runtime.replies import LogReplies
from hearth.knative.resources import INMEMORYCHANNELS, PARALLELS, SUBSCRIPTIONS
from tests.component.eventing.cluster import cluster, next_of, running, sink
from tests.component.eventing.test_flows import loops_back, reply
from tests.waiting import until

ROOT = Path(__file__).parents[3]
NOBODY = {"uri": "http://127.0.0.1:1/"}


@contextlib.asynccontextmanager
async def gatherer():
    """Who gets joined events: where it is, and their attributes and data."""
    got: asyncio.Queue[tuple[dict[str, str], object]] = asyncio.Queue()

    async def take(request):
        got.put_nowait((dict(request.headers), json.loads(await request.read())))
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield {"uri": f"http://127.0.0.1:{runner.addresses[0][1]}/end"}, got
    finally:
        await runner.cleanup()


def joins(shape=DATA, timeout="PT60S"):
    return {JOIN: shape, JOIN_TIMEOUT: timeout}


async def test_the_replies_of_all_branches_become_one_event(tmp_path):
    async with (
        cluster(tmp_path, make_config=loops_back) as found,
        sink(answer=reply("passed")) as (passes, _),
        sink() as (refuses, _),
        sink(answer=reply("one")) as (one, one_got),
        sink() as (silent, _),
        gatherer() as (end, end_got),
    ):
        branches = [
            {"subscriber": one},
            {"filter": passes, "subscriber": one},
            {"filter": refuses, "subscriber": one},
            {"subscriber": silent},
            {"subscriber": NOBODY},
        ]
        await found.create(PARALLELS, "p", annotations=joins(EVENTS), branches=branches, reply=end)
        parallel = await found.until_ready(PARALLELS, "p")
        assert await found.send_to(parallel, **{"ce-tenant": "a"}) == 202
        headers, data = await next_of(end_got)
        assert headers["ce-type"] == "dev.hearth.parallel.joined"
        assert headers["ce-source"].endswith("/namespaces/default/parallels/p")
        assert (headers["ce-causationid"], headers["ce-tenant"]) == ("1", "a")
        assert headers["ce-joinmissing"] == "2,3,4"
        assert [each["outcome"] for each in data] == [
            "replied",
            "replied",
            "filtered",
            "nothing",
            "failed",
        ]
        assert [event["type"] for event in data[0]["events"] + data[1]["events"]] == ["one", "one"]
        assert data[4]["error"]["destination"] == NOBODY["uri"]
        assert not any(MARK in event for each in data for event in each["events"])
        # The way of the event can be followed through the join.
        async with asyncio.timeout(60):
            while not (joined := await joined_journeys(found)):
                await asyncio.sleep(0.02)
        assert [each["place"] for each in joined] == ["channel default/p-kn-parallel-join"]
        types = {(await next_of(one_got))["ce-type"] for _ in range(2)}
        assert types == {"t", "passed"}
        # What is not joined any more goes on as it comes, and the join's parts go.
        change = {"metadata": {"annotations": dict.fromkeys(joins())}}
        await found.client.patch(PARALLELS, "p", "default", change)
        await found.until(
            SUBSCRIPTIONS,
            "p-kn-parallel-0",
            lambda obj: (
                obj["spec"]["reply"] == end
                and JOIN_BRANCH not in (obj["metadata"].get("annotations") or {})
            ),
        )
        async with asyncio.timeout(60):
            while "p-kn-parallel-join" in [
                each["metadata"]["name"]
                for each in (await found.client.list(INMEMORYCHANNELS, "default"))[0]
            ]:
                await asyncio.sleep(0.02)


async def joined_journeys(found):
    """The journeys of joined events that the one with the ID 1 led to."""
    told = (await found.told("/trace", id="1"))["journeys"]
    return [each for each in told if each["attributes"]["type"] == "dev.hearth.parallel.joined"]


async def test_a_branch_that_takes_too_long_is_not_waited_for(tmp_path):
    answered = asyncio.Event()

    async def hang(request):
        await answered.wait()
        return web.Response(headers=reply("late"))

    async with (
        cluster(tmp_path, make_config=loops_back) as found,
        sink(answer=reply("one") | {"content-type": "application/json"}) as (one, _),
        gatherer() as (end, end_got),
    ):
        app = web.Application()
        app.router.add_post("/", hang)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slow = {"uri": f"http://127.0.0.1:{runner.addresses[0][1]}/"}
        branches = [{"subscriber": one}, {"subscriber": slow}]
        await found.create(
            PARALLELS, "p", annotations=joins(timeout="PT0.5S"), branches=branches, reply=end
        )
        parallel = await found.until_ready(PARALLELS, "p")
        assert await found.send_to(parallel) == 202
        headers, data = await next_of(end_got)
        assert (headers["ce-joinmissing"], data) == ("1", [None, None])
        answered.set()
        assert await found.send_to(parallel, **{"ce-id": "2"}) == 202
        headers, _ = await next_of(end_got)
        assert headers["ce-causationid"] == "2"
        assert end_got.empty()
        await runner.cleanup()


BROKER = """
import asyncio, dataclasses, sys
from pathlib import Path
from eventing.engines.classes import EnginesConfig
from eventing.runtime import main as broker

kubeconfig, folder, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
config = broker.BrokerConfig(
    kubeconfig, EnginesConfig(folder), port=port, gateway_address=("127.0.0.1", port)
)
asyncio.run(broker.run(config, lambda: print("ready", flush=True)))
"""


@contextlib.asynccontextmanager
async def killed_at_the_end(found):
    """A broker process that is killed with -9."""
    arguments = ("-c", BROKER, found.kubeconfig, found.folder / "broker", str(found.port))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
        yield
    finally:
        process.kill()
        await process.wait()


async def test_what_was_gathered_outlasts_a_kill(tmp_path):
    """One branch has replied, the other is still tried, when the process is killed."""
    asked = asyncio.Event()
    works = False

    async def unsure(request):
        await request.read()
        asked.set()
        return web.Response(status=200 if works else 503, headers=reply("two") if works else {})

    async with (
        cluster(tmp_path, with_broker=False) as found,
        sink(answer=reply("one")) as (one, one_got),
        gatherer() as (end, end_got),
    ):
        app = web.Application()
        app.router.add_post("/", unsure)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        two = {"uri": f"http://127.0.0.1:{runner.addresses[0][1]}/"}
        delivery = {"retry": 1000, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}
        branches = [{"subscriber": one}, {"subscriber": two, "delivery": delivery}]
        async with killed_at_the_end(found):
            await found.create(
                PARALLELS, "p", annotations=joins(EVENTS), branches=branches, reply=end
            )
            parallel = await found.until_ready(PARALLELS, "p")
            assert await found.send_to(parallel) == 202
            await next_of(one_got)
            await asyncio.wait_for(asked.wait(), 60)
            logs = found.folder / "broker" / "events"
            [log] = logs.glob("channel_default_p-kn-parallel-join_*")
            # The first branch's reply is on disk.
            await until(lambda: b"/0/replied/0/1" in read_all(log))
        works = True
        config = loops_back(found)
        async with running(lambda ready: broker.run(config, ready)):
            headers, data = await next_of(end_got)
            assert "ce-joinmissing" not in headers
            types = [each["events"][0]["type"] for each in data]
            assert types == ["one", "two"]
            assert end_got.empty()
        await runner.cleanup()


def read_all(folder):
    return b"".join(each.read_bytes() for each in folder.iterdir() if each.is_file())


# -- the joiner over a log, with crashes -----------------------------------------------------


class Run:
    """A joiner over a log, as one process has it."""

    def __init__(self, engine, events, consumer, clock, limits):
        self.counters = JoinCounters()
        self.engine, self.events = engine, events
        self.replies = LogReplies(events)
        self.joiner = Joiner(
            Place(CHANNEL, "ns", "c"),
            JoinOptions(DATA, 60.0, 2, "/p"),
            consumer,
            events,
            services=JoinServices(MemoryBudget(limits), lambda: clock[0], self.counters),
            replies=self.replies,
            observer=None,
        )

    async def append(self, *marks):
        """Append events with these marks; their data says which one it is."""
        rendered = []
        for value in marks:
            attributes = {"specversion": "1.0", "id": value, "source": "/s", "type": "t"}
            event = Event({**attributes, MARK: value}, b'"%b"' % value.encode())
            event.attributes["datacontenttype"] = "application/json"
            rendered.append(prepare_unstamped(event, arrival_ns=ARRIVAL, headers=()))
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.events.append(rendered, done.set_result)
        assert await done is None

    async def joined(self):
        """The joined events of the log: id and data."""
        reading = await self.events.look(Start.EARLIEST)
        found = []
        while events := await reading.fetch(1_000_000):
            for each in events:
                if MARK not in each.attributes:
                    found.append((each.attributes["id"], json.loads(each.data)))
        return found


LIMITS = SubscriptionLimits()
ARRIVAL = 1_700_000_000_000_000_000
NOW = ARRIVAL / 1e9


def tokens(count):
    return [new_token(ARRIVAL, f"{number:x}") for number in range(count)]


@contextlib.asynccontextmanager
async def run(folder, *, clock=None, limits=LIMITS):
    engine = LocalEngine(folder)
    events = await engine.open("log")
    made = Run(
        engine, events, await events.consume(CONSUMER, Start.EARLIEST), clock or [NOW], limits
    )
    events.listen(made.joiner.route)
    made.joiner.start()
    try:
        yield made
    finally:
        made.joiner.close()
        made.replies.close()
        await engine.close()


def first(token):
    return Part(token, 0, REPLIED).to_text()


def second(token):
    return Part(token, 1, NOTHING).to_text()


@pytest.mark.parametrize("memory", [100_000, 0], ids=["in memory", "set aside"])
async def test_parts_are_gathered_again_after_a_crash(tmp_path, memory):
    """The folder is copied while the process runs: that is what a kill leaves."""
    one, two, three = tokens(3)
    limits = SubscriptionLimits(held_bytes=memory)
    async with run(tmp_path / "a", limits=limits) as before:
        await before.append(one, first(one), second(one), two, first(two), three)
        await until(lambda: before.counters.whole == 1 and before.joiner.waiting == 2)
        await before.events.checkpoint()
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    async with run(tmp_path / "b", limits=limits) as after:
        await until(lambda: after.joiner.waiting == 2)
        await after.append(second(two), second(three), first(three))
        await until(lambda: after.counters.whole == 2 and after.joiner.waiting == 0)
        found = await after.joined()
        assert sorted(found) == sorted((each, [first(each), None]) for each in (one, two, three))
        # All parts are settled: nothing holds the log.
        await after.events.checkpoint()
        assert after.events.stats().events == 0


async def test_a_join_that_was_sent_on_is_not_sent_on_again(tmp_path):
    """A crash after the joined event was written and before the parts are known to be settled."""
    [one] = tokens(1)
    async with run(tmp_path / "a") as before:
        await before.append(one, first(one))
        await until(lambda: before.joiner.waiting == 1)
        await before.events.checkpoint()
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        await before.append(second(one))
        await until(lambda: before.counters.whole == 1)
        [cursors] = (tmp_path / "b").glob("**/cursors")
        # The newer log with the older cursors.
        shutil.copytree(tmp_path / "a", tmp_path / "c")
        shutil.copy(cursors, tmp_path / "c" / cursors.relative_to(tmp_path / "b"))
    async with run(tmp_path / "c") as after:
        await until(lambda: after.counters.unwanted == 3)
        assert after.joiner.waiting == 0
        assert await after.joined() == [(one, [first(one), None])]


async def test_time_limits_go_on_after_a_restart(tmp_path):
    [one] = tokens(1)
    clock = [NOW]
    async with run(tmp_path, clock=clock) as before:
        await before.append(one, first(one))
        await until(lambda: before.joiner.waiting == 1)
    clock[0] += 3600
    async with run(tmp_path, clock=clock) as after:
        await until(lambda: after.counters.partial == 1)
        assert await after.joined() == [(one, [first(one), None])]


async def test_no_more_parts_are_taken_than_may_be_waited_with(tmp_path):
    limits = SubscriptionLimits(joined_parts=20)
    clock = [NOW]
    all_of_them = tokens(50)
    async with run(tmp_path, clock=clock, limits=limits) as found:
        for each in all_of_them:
            await found.append(each)
        await until(lambda: found.joiner.waiting >= 20)
        assert found.joiner.waiting == 20
        clock[0] += 61
        found.joiner.look()
        await until(lambda: found.counters.partial == 50)
        assert sorted(each for each, _ in await found.joined()) == sorted(all_of_them)
