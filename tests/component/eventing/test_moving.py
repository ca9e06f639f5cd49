"""A Broker moves from the local log to NATS and back, while events come: real processes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from eventing.api import keys
from eventing.engines.classes import EnginesConfig
from eventing.engines.nats.config import NatsServer
from eventing.runtime import lagmarks
from eventing.runtime import main as broker
from hearth.cli import eventcopy, main
from hearth.cli.errors import UserError
from hearth.cli.eventadmin import _Here
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.errors import ApiError
from hearth.kube.kubeconfig import access_of
from tests.component.eventing import test_kafka_broker
from tests.component.eventing.cluster import TOKEN, cluster, condition, running
from tests.component.keda import servers

PATIENT = {"retry": 10000, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}
LOCAL, NATS = keys.BROKER_CLASS, keys.NATS_CLASS


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.nats(tmp_path_factory.mktemp("nats")) as (port, _):
        yield port


class Receiver:
    """Counts what it took, by id; ``status`` is what it says."""

    def __init__(self) -> None:
        self.status = 200
        self.got: Counter[str] = Counter()

    async def take(self, request: web.Request) -> web.Response:
        await request.read()
        if self.status == 200:
            self.got[request.headers["ce-id"]] += 1
        return web.Response(status=self.status)

    @contextlib.asynccontextmanager
    async def listening(self):
        app = web.Application()
        app.router.add_post("/", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        [(host, port)] = runner.addresses
        try:
            yield {"uri": f"http://{host}:{port}/"}
        finally:
            await runner.cleanup()


def of_port(port: int, folder):
    async def where() -> NatsServer:
        return NatsServer((f"nats://127.0.0.1:{port}",), prefix=folder.name, owner="us")

    return where


class Moving:
    """A cluster whose broker process may be ended and begun again."""

    def __init__(self, found, port: int) -> None:
        self.found = found
        self.config = dataclasses.replace(
            found.broker_config(),
            engines=EnginesConfig(found.folder / "broker", nats=of_port(port, found.folder)),
        )

    def process(self):
        return running(lambda ready: broker.run(self.config, ready))

    def dispatcher(self):
        """Another process, which knows nothing of the local log."""
        made = dataclasses.replace(self.config, admin=None)
        registry = CollectorRegistry()
        return running(lambda ready: broker.run_dispatcher(made, ready, registry=registry))

    async def copy(self, to: str, *, dry_run: bool = False):
        """``hearth event copy``, in a thread as it is a process elsewhere."""
        state = {"ports": {"broker-admin": self.found.admin_port}, "brokerAdminToken": TOKEN}
        wanted = eventcopy.Copying("default/default", to, dry_run=dry_run)
        api, said = access_of(self.found.kubeconfig), []
        with mock.patch("builtins.print", lambda text, file=None: said.append(text)):
            await asyncio.to_thread(eventcopy.copy, _Here(state), api, wanted, "json")
        return json.loads(said[-1])

    @contextlib.asynccontextmanager
    async def sending(self, url: str, sent: list[str]):
        """Send one event after the other; those that are not taken are sent again."""
        ends = asyncio.Event()

        async def send() -> None:
            while not ends.is_set():
                if await self.found.send(url, **{"ce-id": f"during-{len(sent)}"}) == 202:
                    sent.append(f"during-{len(sent)}")

        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            try:
                yield
            finally:
                ends.set()


async def got_all(receiver: Receiver, names: set[str]) -> None:
    try:
        async with asyncio.timeout(40):
            while not names <= receiver.got.keys():
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"{len(names - receiver.got.keys())} of {len(names)} events are lost")


async def test_a_broker_moves_there_and_back_while_events_come(tmp_path, port):
    fast, slow = Receiver(), Receiver()
    slow.status = 500
    async with (
        cluster(tmp_path, with_broker=False) as found,
        fast.listening() as target,
        slow.listening() as stuck,
    ):
        moving = Moving(found, port)
        async with moving.process():
            await found.create_broker(delivery=PATIENT)
            url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
            await found.create_trigger("fast", target)
            await found.create_trigger("slow", stuck)
            hold = {"eventing.hearth.dev/undeliverable": "hold"}
            bad = {"attributes": {"type": "bad"}}
            await found.create_trigger(
                "held", stuck, annotations=hold, delivery={"retry": 0}, filter=bad
            )
            for name in ("fast", "slow", "held"):
                await found.until_ready(TRIGGERS, name)
            before = [str(number) for number in range(300)]
            for name in before:
                assert await found.send(url, **{"ce-id": name}) == 202
            assert await found.send(url, **{"ce-id": "bad", "ce-type": "bad"}) == 202
            await got_all(fast, {*before, "bad"})
            async with asyncio.timeout(30):
                while (lags := await lags_of(found))["held"] != (0, 1):
                    await asyncio.sleep(0.05)
            assert lags["slow"][0] == 301
            assert (await moving.copy("nats", dry_run=True))["events"] == 301
            sent: list[str] = []
            async with moving.sending(url, sent):
                told = await moving.copy("nats")
                assert (told["subscriptions"], told["held"]) == (3, 1)
                count = len(sent)
                async with asyncio.timeout(30):
                    while len(sent) < count + 20:
                        await asyncio.sleep(0.01)
            await got_all(fast, {*before, "bad", *sent})
            twice = sum(fast.got.values()) - len(fast.got)
            assert twice <= told["again"], "only what was under way comes twice"
            assert not any(fast.got[name] > 1 for name in before)
            lags = await lags_of(found, lambda it: it.get("slow") == (301 + len(sent), 0))
            assert lags["held"] == (0, 1)
            made = await found.client.get(BROKERS, "default", "default")
            assert made["metadata"]["annotations"][keys.BROKER_CLASS_ANNOTATION] == NATS
            assert condition(made)[0] == "True"
            with pytest.raises(UserError, match="no engine for brokers of class Tape"):
                await moving.copy("Tape")
        assert not [
            each for each in (found.folder / "broker" / "events").iterdir() if each.is_dir()
        ]
        async with moving.process(), moving.dispatcher():
            told = await moving.copy("local")
            assert told["copied"] == 301 + len(sent), "another process removes nothing"
            slow.status = 200
            await got_all(slow, {*before, "bad", *sent})
            await lags_of(found, lambda it: it == {"fast": (0, 0), "slow": (0, 0), "held": (0, 1)})
            status, done = await found.do("/redrive")
            assert (status, [each["attributes"]["id"] for each in done["events"]]) == (200, ["bad"])
            async with asyncio.timeout(30):
                while slow.got["bad"] < 2:
                    await asyncio.sleep(0.01)


async def lags_of(found, condition=lambda lags: True) -> dict[str, tuple[int, int]]:
    """Lag and held events by the names of Triggers, once they are so."""
    async with asyncio.timeout(30):
        while True:
            rows = (await found.told("/lag", broker="default/default"))["subscriptions"]
            lags = {
                each["subscription"].rpartition("/")[2]: (each["lag"], each["held"])
                for each in rows
            }
            if condition(lags):
                return lags
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("cut", ["copying", "cursors", "dropping"])
async def test_a_move_that_was_cut_short_is_ended_by_the_next_process(tmp_path, port, cut):
    """What is on disk and at the server is what a kill at this moment leaves."""
    receiver = Receiver()
    receiver.status = 500
    places = {
        "copying": "eventing.engines.copying._append",
        "cursors": "eventing.engines.nats.log.NatsLog.forget",
        "dropping": "eventing.engines.local.engine.LocalEngine.drop",
    }
    async with (
        cluster(tmp_path, with_broker=False) as found,
        receiver.listening() as target,
    ):
        moving = Moving(found, port)
        names = {str(number) for number in range(50)}
        async with moving.process():
            await found.create_broker(delivery=PATIENT)
            url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
            await found.create_trigger("t", target)
            await found.until_ready(TRIGGERS, "t")
            for name in names:
                assert await found.send(url, **{"ce-id": name}) == 202
            with mock.patch(places[cut], side_effect=Killed):
                marks = {
                    keys.BROKER_CLASS_ANNOTATION: NATS,
                    keys.MOVED_FROM_ANNOTATION: LOCAL,
                }
                await found.client.patch(
                    BROKERS, "default", "default", {"metadata": {"annotations": marks}}
                )
                async with asyncio.timeout(30):
                    while await found.send(url, **{"ce-id": f"late-{len(names)}"}) == 202:
                        names.add(f"late-{len(names)}")
        receiver.status = 200
        async with moving.process():
            await found.until(BROKERS, "default", is_moved)
            await found.until_ready(BROKERS, "default")
            await got_all(receiver, names)
            assert await found.send(url, **{"ce-id": "after"}) == 202
            await got_all(receiver, {"after"})
            assert max(receiver.got.values()) == 1


class Killed(Exception):
    """The process came no further."""


def is_moved(found) -> bool:
    marks = (found.get("status") or {}).get("annotations") or {}
    return marks.get(keys.MOVED_ANNOTATION) == f"{LOCAL}>{NATS}"


async def test_a_move_can_be_taken_back_while_the_other_server_is_away(tmp_path):
    receiver = Receiver()
    async with cluster(tmp_path, with_broker=False) as found, receiver.listening() as target:
        with servers.nats(tmp_path) as (port, _):
            moving = Moving(found, port)
            async with moving.process():
                await found.create_broker()
                url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
                await found.create_trigger("t", target)
                await found.until_ready(TRIGGERS, "t")
                assert await found.send(url, **{"ce-id": "1"}) == 202
                body = {"broker": "default/default", "to": NATS}
                status, _ = await found.do("/copy", **body)
                assert status == 200
                await give_class(
                    found, NATS, LOCAL, fails_at="eventing.engines.copying.Copy.cursors"
                )
                await give_class(found, LOCAL, NATS)
                await found.until(
                    BROKERS,
                    "default",
                    lambda it: (
                        it["status"]["annotations"].get(keys.MOVED_ANNOTATION) == f"{NATS}>{LOCAL}"
                    ),
                )
                async with asyncio.timeout(30):
                    while await found.send(url, **{"ce-id": "2"}) != 202:
                        await asyncio.sleep(0.01)
                await got_all(receiver, {"1", "2"})
        async with Moving(found, port).process():
            assert await found.send(url, **{"ce-id": "3"}) == 202, "the server is not asked"


async def give_class(found, to: str, source: str, *, fails_at: str = "") -> None:
    marks = {keys.BROKER_CLASS_ANNOTATION: to, keys.MOVED_FROM_ANNOTATION: source}
    body = {"metadata": {"annotations": marks}}
    with mock.patch(fails_at, side_effect=Killed) if fails_at else contextlib.nullcontext() as hit:
        await found.client.patch(BROKERS, "default", "default", body)
        async with asyncio.timeout(30):
            while hit is not None and not hit.called:
                await asyncio.sleep(0.01)


async def test_a_trigger_that_is_behind_says_so_in_its_status(tmp_path, monkeypatch):
    monkeypatch.setattr(lagmarks, "SECONDS", 0.05)
    receiver = Receiver()
    receiver.status = 500
    async with cluster(tmp_path) as found, receiver.listening() as target:
        await found.create_broker(delivery=PATIENT)
        url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
        await found.create_trigger("t", target)
        await found.until_ready(TRIGGERS, "t")
        for number in range(120):
            assert await found.send(url, **{"ce-id": str(number)}) == 202
        await found.until(TRIGGERS, "t", lambda it: lag_of(it) == "100+")
        receiver.status = 200
        await found.until(TRIGGERS, "t", lambda it: lag_of(it) is None)


def lag_of(trigger) -> str | None:
    return ((trigger.get("status") or {}).get("annotations") or {}).get(keys.LAG_ANNOTATION)


@pytest.fixture
def kafka_port(tmp_path: Path) -> Iterator[int]:
    with servers.kafka(tmp_path) as port:
        yield port


async def test_a_broker_moves_to_kafka(tmp_path, kafka_port):
    receiver = Receiver()
    receiver.status = 500
    async with cluster(tmp_path, with_broker=False) as found, receiver.listening() as target:
        await test_kafka_broker.name_server(found.client, kafka_port)
        moving = Moving(found, 0)
        moving.config = test_kafka_broker.config(found)
        names = {str(number) for number in range(20)}
        async with moving.process():
            await found.create_broker(delivery=PATIENT)
            url = (await found.until_ready(BROKERS, "default"))["status"]["address"]["url"]
            await found.create_trigger("t", target)
            await found.until_ready(TRIGGERS, "t")
            for name in names:
                assert await found.send(url, **{"ce-id": name}) == 202
            assert (await moving.copy("kafka"))["copied"] == 20
            await lags_of(found, lambda it: it.get("t") == (20, 0))
            receiver.status = 200
            await got_all(receiver, names)
            assert await found.send(url, **{"ce-id": "after"}) == 202
            await got_all(receiver, {"after"})


async def test_a_class_changes_only_with_a_move(tmp_path, port):
    async with cluster(tmp_path) as found:
        await found.create_broker()
        await found.until_ready(BROKERS, "default")
        body = {"metadata": {"annotations": {keys.BROKER_CLASS_ANNOTATION: NATS}}}
        with pytest.raises(ApiError, match="Immutable annotations changed"):
            await found.client.patch(BROKERS, "default", "default", body)


def test_the_command_says_which_output_there_is(tmp_path):
    result = CliRunner().invoke(
        main.app, ["event", "copy", "default", "--to", "nats", "--data-dir", str(tmp_path)]
    )
    assert isinstance(result.exception, UserError)
