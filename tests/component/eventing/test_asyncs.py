"""Requests that are answered later: 202 once they are on disk, then the Service's answer by URL.

The real ingress, log, dispatcher and files; a gateway that is the Service at once.
"""

import asyncio
import contextlib
import time
from urllib.parse import urlencode, urlsplit

from aiohttp import ClientSession, web

from eventing.engines.local.engine import LocalEngine
from eventing.filters import EVERYTHING
from eventing.runtime.accounting import MemoryBudget
from eventing.runtime.addressable import Addressable
from eventing.runtime.asyncs.exchange import MOST_RESULT_BYTES, Asyncs
from eventing.runtime.client import DeliveryClient
from eventing.runtime.config import ClientLimits, IngressLimits, SubscriptionLimits
from eventing.runtime.ingress import Ingress
from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.places import CHANNEL, Place
from eventing.runtime.policy import Backoff, DeliveryPolicy
from eventing.runtime.services import Services
from eventing.runtime.spec import SubscriptionSpec
from eventing.runtime.target import parse_target
from tests.component.eventing.test_broker import headers, sink
from tests.waiting import until

PLACE = Place(CHANNEL, "ns", "hello-async-kn-sequence-0")
TWICE = DeliveryPolicy(retries=1, backoff=Backoff.EXPONENTIAL, delay_seconds=0.01)
LIMITS = IngressLimits(event_bytes=1000)


class Plane:
    def __init__(self, runtime, asyncs, url, session):
        self.runtime, self.asyncs, self.url, self.session = runtime, asyncs, url, session
        self.ahead = 0.0

    async def subscribe(self, callback=None):
        where = f"{self.url}/async/ns/hello"
        query = f"?{urlencode({'callback': callback})}" if callback else ""
        spec = SubscriptionSpec(
            uid="u",
            namespace="ns",
            name="hello-async",
            filter=EVERYTHING,
            policy=TWICE,
            target=parse_target(f"{where}/run{'?callback' if callback else ''}", None),
            dead_letter=parse_target(f"{where}/failed{query}", None),
            reply=parse_target(callback, None) if callback else None,
            kind="subscription",
            place=PLACE,
        )
        await self.runtime.subscribe(spec)

    async def ask(self, path="/thing?x=1", *, data=b"body", method="POST", **fields):
        """As the gateway sends a request on."""
        told = {"x-hearth-async-host": "hello.example.com", "prefer": "respond-async", **fields}
        url = f"{self.url}/async/ns/hello/accept{path}"
        async with self.session.request(method, url, data=data, headers=told) as answer:
            return answer.status, answer.headers.copy(), await answer.text()

    async def look(self, location):
        ticket = location.rpartition("/")[2]
        async with self.session.get(f"{self.url}/async/ns/hello/results/{ticket}") as answer:
            return answer.status, answer.headers.copy(), await answer.text()

    async def result(self, location):
        async with asyncio.timeout(60):
            while True:
                found = await self.look(location)
                if found[1].get("x-hearth-async") != "pending":
                    return found
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def plane(folder, gateway):
    parts = urlsplit(gateway.url)
    engine, client = LocalEngine(folder / "events", None), DeliveryClient(ClientLimits())
    services = Services(client, MemoryBudget(SubscriptionLimits()))
    log = await engine.open("broker")
    runtime = Addressable(PLACE, log, services=services, metrics=BrokerMetrics())
    made = Plane(runtime, None, "", None)
    asyncs = made.asyncs = Asyncs(
        lambda place: runtime if place == PLACE else None,
        client,
        gateway=(parts.hostname, parts.port),
        folder=folder / "async",
        limits=LIMITS,
        clock=lambda: time.time() + made.ahead,
    )
    server = Ingress(lambda place: None, limits=LIMITS, asyncs=asyncs)
    made.url = f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}"
    sweeping = asyncio.create_task(client.run())
    async with ClientSession() as made.session:
        try:
            yield made
        finally:
            runtime.close()
            await asyncs.close()
            await made.session.close()
            await server.stop(grace_seconds=0)
            await client.close()
            sweeping.cancel()
            await asyncio.wait([sweeping])
            await engine.close()


def say(request, number):
    return web.Response(
        status=201, text=f"{request.method} {request.path_qs}", headers={"x-a": "b"}
    )


async def test_a_request_is_accepted_and_its_answer_found_by_its_url(tmp_path):
    async with sink(say) as service, plane(tmp_path, service) as broker:
        await broker.subscribe()
        status, fields, _ = await broker.ask(authorization="Bearer x")
        assert (status, fields["preference-applied"]) == (202, "respond-async")
        assert fields["retry-after"] == "1"
        location = fields["location"]
        assert location.startswith("/.well-known/hearth/async/ns/hello/")
        status, fields, text = await broker.result(location)
        assert (status, fields["x-a"], text) == (201, "b", "POST /thing?x=1")
        assert fields["x-hearth-async"] == "done"
        [(got, body)] = service.got
        assert (got["host"], got["authorization"], body) == (
            "hello.example.com",
            "Bearer x",
            b"body",
        )
        assert got["idempotency-key"] == location.rpartition("/")[2]
        assert "prefer" not in got


async def test_who_guesses_finds_nothing(tmp_path):
    async with sink(say) as service, plane(tmp_path, service) as broker:
        await broker.subscribe()
        _, fields, _ = await broker.ask()
        await broker.result(fields["location"])
        first, last = fields["location"][:-2], fields["location"][-2:]
        changed = first + ("A" if last[0] != "A" else "B") + last[1]
        assert (await broker.look(changed))[0] == 404
        assert (await broker.look("x/../key"))[0] == 404
        # An event with a name of its own choice is no request that was taken in here.
        for action in ("run", "failed"):
            url = f"{broker.url}/async/ns/hello/{action}"
            async with broker.session.post(url, data=b"{}", headers=headers("1")) as answer:
                assert answer.status == 400
        assert len(service.got) == 1


async def test_a_failure_is_tried_again_and_then_the_last_answer_is_the_result(tmp_path):
    def fail(request, number):
        if request.path == "/once" and number > 1:
            return say(request, number)
        return web.Response(status=503, text=f"attempt {number}")

    async with sink(fail) as service, plane(tmp_path, service) as broker:
        await broker.subscribe()
        _, fields, _ = await broker.ask("/once")
        assert (await broker.result(fields["location"]))[0] == 201
        service.got.clear()
        _, fields, _ = await broker.ask("/always")
        status, _, text = await broker.result(fields["location"])
        assert (status, text) == (503, "attempt 2")
        assert len(service.got) == 2


async def test_a_service_that_is_not_there_is_an_answer_of_its_own(tmp_path):
    async with sink(say) as service:
        pass  # it has gone
    async with plane(tmp_path, service) as broker:
        await broker.subscribe()
        _, fields, _ = await broker.ask()
        assert (await broker.result(fields["location"]))[0] == 502


async def test_what_was_accepted_survives_the_end_of_the_process(tmp_path):
    async def never(request):
        await asyncio.Event().wait()

    async with (
        sink(lambda request, number: never(request)) as stuck,
        plane(tmp_path, stuck) as broker,
    ):
        await broker.subscribe()
        locations = [(await broker.ask(f"/{n}"))[1]["location"] for n in range(3)]
        await until(lambda: len(stuck.got) == 3)
        assert (await broker.look(locations[0]))[0] == 202
    async with sink(say) as service, plane(tmp_path, service) as broker:
        await broker.subscribe()
        found = [await broker.result(each) for each in locations]
        assert [text for _, _, text in found] == ["POST /0", "POST /1", "POST /2"]


async def test_who_is_called_back_gets_results_and_failures_as_events(tmp_path):
    def answer(request, number):
        return web.Response(status=500 if request.path == "/bad" else 200, text="said")

    async with (
        sink(answer) as service,
        sink() as caller,
        plane(tmp_path, service) as broker,
    ):
        await broker.subscribe(caller.url)
        for path, status in (("/good", "200"), ("/bad", "500")):
            caller.got.clear()
            _, fields, _ = await broker.ask(path)
            await caller.until(lambda: caller.got)
            [(got, body)] = caller.got
            assert (got["ce-type"], got["ce-httpstatus"]) == ("dev.hearth.async.result", status)
            assert got["ce-subject"] == fields["location"]
            assert body == b"said"


async def test_results_go_when_their_time_is_over(tmp_path):
    async with sink(say) as service, plane(tmp_path, service) as broker:
        await broker.subscribe()
        options = {"x-hearth-async-options": "retention=60, pending=5"}
        _, fields, _ = await broker.ask(**options)
        await broker.result(fields["location"])
        files = list((tmp_path / "async").glob("*/*/*"))
        assert len(files) == 1
        broker.asyncs.results.remove_ended()
        assert files[0].exists()
        broker.ahead = 61.0
        assert (await broker.look(fields["location"]))[0] == 410
        broker.asyncs.results.remove_ended()
        assert not files[0].exists()
        assert not broker.asyncs.results.sizes


async def test_there_are_bounds(tmp_path):
    async def never(request):
        await asyncio.Event().wait()

    async with (
        sink(lambda request, number: never(request)) as service,
        plane(tmp_path, service) as broker,
    ):
        status, fields, _ = await broker.ask()
        assert (status, fields["retry-after"]) == (503, "1"), "nobody would deliver it"
        await broker.subscribe()
        assert (await broker.ask(data=b"x" * 1001))[0] == 413
        options = {"x-hearth-async-options": "retention=60, pending=2"}
        assert [(await broker.ask(**options))[0] for _ in range(2)] == [202, 202]
        await until(lambda: len(service.got) == 2)
        status, fields, text = await broker.ask(**options)
        assert (status, fields["retry-after"]) == (429, "5")
        assert "2 requests of hello wait" in text
        broker.asyncs.results.sizes["ns", "hello"] = MOST_RESULT_BYTES
        assert (await broker.ask())[0] == 429
