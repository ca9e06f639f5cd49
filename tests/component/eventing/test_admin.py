"""Questions about events: asked of a broker process by HTTP, answered from logs and journeys."""

import asyncio
import contextlib
import re

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from eventing.api.deliveryoptions import UNDELIVERABLE
from hearth.knative.resources import BROKERS, TRIGGERS
from hearth.kube.resources import CONFIGMAPS
from tests.component.eventing.cluster import cluster, next_of, sink

REPLY = {"ce-specversion": "1.0", "ce-id": "r-1", "ce-source": "/sub", "ce-type": "done"}


@contextlib.asynccontextmanager
async def shop(folder, triggers):
    """A broker with triggers: by name, the subscriber and more of the spec."""
    async with cluster(folder) as found:
        await found.create_broker(delivery={"retry": 1, "backoffPolicy": "linear",
                                            "backoffDelay": "PT0S"})  # fmt: skip
        ready = await found.until_ready(BROKERS, "default")
        found.url = ready["status"]["address"]["url"]
        for name, (subscriber, spec) in triggers.items():
            await found.create_trigger(name, subscriber, **spec)
        for name in triggers:
            await found.until_ready(TRIGGERS, name)
        yield found


async def until_told(found, path, condition, **query):
    """Asks again and again until the answer is as it should be; returns it."""
    async with asyncio.timeout(60):
        while not condition(told := await found.told(path, **query)):
            await asyncio.sleep(0.01)
    return told


def outcomes(told):
    return {
        leg["name"]: leg.get("outcome")
        for journey in told["journeys"]
        for leg in journey["subscriptions"]
        if leg["matched"]
    }


async def test_the_journey_of_an_event_and_of_its_reply(tmp_path):
    async with sink(answer=REPLY) as (asks, _), sink() as (takes, got):
        triggers = {
            "asks": (asks, {"filter": {"attributes": {"type": "t"}}}),
            "takes": (takes, {"filters": [{"cesql": "type = 'done'"}]}),
        }
        async with shop(tmp_path, triggers) as found:
            assert await found.send(found.url, **{"ce-id": "e-1", "ce-shop": "north"}) == 202
            assert (await next_of(got))["ce-id"] == "r-1"
            done = {"trigger default/asks": "delivered", "trigger default/takes": "delivered"}
            told = await until_told(found, "/trace", lambda t: outcomes(t) == done, id="e-1")
            event, reply = told["journeys"]
            assert (event["place"], event["position"]) == ("broker default/default", "0")
            assert event["attributes"]["shop"] == "north"
            assert "knativearrivaltime" not in event["attributes"]
            asked, missed = event["subscriptions"]
            [attempt] = asked["attempts"]
            assert (attempt["status"], attempt["url"]) == (200, asks["uri"])
            assert (attempt["hop"], attempt["follows"]) == ("subscriber", "reply")
            [answer] = asked["replies"]
            assert (answer["id"], answer["type"], answer["url"]) == ("r-1", "done", "")
            assert (missed["matched"], missed["clause"]) == (False, "filters[0].cesql")
            assert missed["reason"] == "type = 'done' is false (type is \"t\")"
            assert (reply["attributes"]["id"], reply["position"]) == ("r-1", "1")
            assert (told["kept"], told["lost"]) == (True, 0)
            assert (await found.told("/trace", id="unknown"))["journeys"] == []


async def test_what_a_subscriber_does_not_take_is_told(tmp_path):
    nobody = {"uri": "http://127.0.0.1:9/"}
    async with sink() as (lost, _):
        triggers = {
            "dropped": (nobody, {}),
            "dead": (nobody, {"delivery": {"deadLetterSink": lost}}),
        }
        async with shop(tmp_path, triggers) as found:
            await found.send(found.url, **{"ce-id": "e-1"})
            told = await until_told(found, "/failures", lambda t: len(t["failures"]) == 2)
            by_name = {each["subscription"]: each for each in told["failures"]}
            dead, dropped = by_name["trigger default/dead"], by_name["trigger default/dropped"]
            assert (dead["outcome"], dead["sink"]) == ("dead letter", lost["uri"])
            assert (dropped["outcome"], dropped["sink"]) == ("dropped", "")
            assert dropped["attributes"]["id"] == "e-1"
            assert (dropped["cause"]["status"], dropped["cause"]["number"]) == (0, 2)
            assert "onnect" in dropped["cause"]["error"]
            status, said = await found.ask("/failures", broker="default/other")
            assert (status, said["message"]) == (
                404,
                "there is no broker default/other here; there are: broker default/default",
            )


async def test_events_are_listed_and_followed(tmp_path):
    async with sink() as (target, got), shop(tmp_path, {"t": (target, {})}) as found:
        told = await found.told("/events")
        assert told["events"] == []

        async def follow(since, wait=10):
            query = {"since": since["since"], "seen": ",".join(since["seen"]), "wait": wait}
            return await found.told("/events", **query)

        following = asyncio.create_task(follow(told["next"]))
        await found.send(found.url, **{"ce-id": "e-0"})
        told = await following
        assert [each["attributes"]["id"] for each in told["events"]] == ["e-0"]
        for number in range(1, 6):
            await found.send(found.url, **{"ce-id": f"e-{number}"})
        told = await follow(told["next"])
        seen = [each["attributes"]["id"] for each in told["events"]]
        while len(seen) < 5:
            told = await follow(told["next"])
            seen += [each["attributes"]["id"] for each in told["events"]]
        assert seen == [f"e-{number}" for number in range(1, 6)]
        assert (await follow(told["next"], wait=0))["events"] == []
        for _ in range(6):
            await next_of(got)
        newest = await until_told(
            found,
            "/events",
            lambda t: t["events"][-1]["outcomes"] == {"trigger default/t": "delivered"},
            broker="default/default",
            limit=2,
        )
        assert [each["position"] for each in newest["events"]] == ["4", "5"]
        assert newest["events"][0]["bytes"] == 2


async def test_the_graph_shows_what_flows(tmp_path):
    async with sink() as (target, got), shop(tmp_path, {"t": (target, {})}) as found:
        await found.send(found.url)
        await next_of(got)

        def edges(told):
            return {(e["from"], e["kind"], e["to"]): e["count"] for e in told["edges"]}

        def delivered(told):
            return edges(told).get(("trigger default/t", "delivers", f"sink {target['uri']}"))

        told = await until_told(found, "/graph", lambda t: delivered(t) == 1, since="1m")
        assert edges(told)["source /s", "sends", "broker default/default"] == 1
        assert edges(told)["broker default/default", "matches", "trigger default/t"] == 1
        later = await found.told("/graph", since="0s")
        assert delivered(later) == 0


async def test_journeys_are_kept_unless_switched_off(tmp_path):
    async with sink() as (target, got), shop(tmp_path, {"t": (target, {})}) as found:
        await found.send(found.url, **{"ce-id": "on"})
        await next_of(got)
        await until_told(found, "/trace", lambda t: len(t["journeys"]) == 1, id="on")

        async def switch(to):
            data = {"data": {"event-journeys": to}}
            await found.client.patch(CONFIGMAPS, "config-features", "knative-eventing", data)
            await until_told(found, "/trace", lambda t: t["kept"] is (to == "enabled"), id="x")

        await switch("disabled")
        await found.send(found.url, **{"ce-id": "off"})
        await next_of(got)
        assert (await found.told("/trace", id="off"))["journeys"] == []
        assert len((await found.told("/trace", id="on"))["journeys"]) == 1, "what was kept stays"
        await switch("enabled")
        await found.send(found.url, **{"ce-id": "again"})
        await until_told(found, "/trace", lambda t: len(t["journeys"]) == 1, id="again")


@pytest.mark.parametrize("token", ["", "another"])
async def test_who_does_not_know_the_token_is_not_answered(tmp_path, token):
    async with cluster(tmp_path) as found:
        status, said = await found.ask("/trace", token=token, id="1")
        assert (status, said["message"]) == (403, "only those who show its token are answered")


async def test_what_cannot_be_asked_is_said(tmp_path):
    async with shop(tmp_path, {}) as found:
        for path, query, status, message in (
            ("/nothing", {}, 404, "there is no /nothing to GET"),
            ("/trace", {}, 400, "which event? give its id"),
            ("/events", {"broker": "default"}, 400, "which broker? give NAMESPACE/NAME"),
            ("/events", {"limit": "x"}, 400, "limit=x: a number from 0 to 10000 is wanted"),
            ("/events", {"channel": "a/b"}, 404, "there is no channel a/b here; there are: "
                                                 "broker default/default"),
            ("/graph", {"since": "soon"}, 400, "'soon' is no duration: write it as 90s, 10m or "
                                               "1h30m"),
        ):  # fmt: skip
            got, said = await found.ask(path, **query)
            assert (got, said["message"]) == (status, message)


# -- what operators do -----------------------------------------------------------------------------


async def replayed(found, **body):
    """Starts a replay and waits for its end; returns what is told of it then."""
    status, told = await found.do("/replay", **body)
    assert status == 200, told
    ended = await until_told(
        found, "/replays", lambda t: not t["replays"][0]["running"], id=told["id"]
    )
    return ended["replays"][0]


def counts(told):
    return {name: told[name] for name in ("events", "matching", "delivered", "error")}


async def test_events_are_replayed_beside_a_triggers_own_way(tmp_path):
    async with sink() as (target, got):
        triggers = {"t": (target, {"filters": [{"prefix": {"id": "a"}}]})}
        async with shop(tmp_path, triggers) as found:

            async def ids(count):
                return sorted([(await next_of(got))["ce-id"] for _ in range(count)])

            for event_id in ("a-0", "b-1", "a-2", "a-3"):
                await found.send(found.url, **{"ce-id": event_id})
            assert await ids(3) == ["a-0", "a-2", "a-3"]
            asked = {"trigger": "default/t", "from": "earliest"}
            status, told = await found.do("/replay", **asked, dryRun="true")
            assert (status, told["events"], told["matching"]) == (200, 4, 3)
            assert (told["subscription"], told["url"]) == ("trigger default/t", target["uri"])
            assert got.empty(), "a dry run delivers nothing"
            ended = await replayed(found, **asked)
            whole = {"events": 4, "matching": 3, "delivered": 3, "error": ""}
            assert counts(ended) == whole
            assert await ids(3) == ["a-0", "a-2", "a-3"]
            for begin, some in (("1", ["a-2", "a-3"]), ("a-2", ["a-2", "a-3"]), ("0s", [])):
                ended = await replayed(found, **{**asked, "from": begin})
                assert ended["delivered"] == len(some)
                assert await ids(len(some)) == some
            ended = await replayed(found, **asked, most="1")
            assert (counts(ended)["delivered"], (await next_of(got))["ce-id"]) == (1, "a-0")
            told = await found.told("/trace", id="a-0")
            [leg] = told["journeys"][0]["subscriptions"]
            own, *others = [each["replay"] for each in leg["attempts"]]
            assert (own, len(set(others)), "" in others) == ("", 2, False)
            await found.send(found.url, **{"ce-id": "a-9"})
            assert (await next_of(got))["ce-id"] == "a-9"
            assert got.empty()
            cursors = next((tmp_path / "broker" / "events").glob("default_*/cursors")).read_bytes()
            last = dict(re.findall(rb'"(replay:\w+)":(null|.)', cursors))
            assert set(last.values()) == {b"null"}, "nothing of them is left"


async def test_one_replay_of_a_trigger_at_a_time_which_ends_with_it(tmp_path):
    held = asyncio.Event()

    async def hold(request):
        await held.wait()
        return web.Response(status=200)

    async with answering(hold) as target, shop(tmp_path, {"t": (target, {})}) as found:
        await found.send(found.url)
        asked = {"trigger": "default/t", "from": "earliest"}
        status, told = await found.do("/replay", **asked)
        assert (status, told["running"], told["delivered"]) == (200, True, 0)
        status, said = await found.do("/replay", **asked)
        assert status == 409
        assert said["message"] == f"replay {told['id']} of trigger default/t is under way"
        await found.client.delete(TRIGGERS, "t", "default")
        ended = await until_told(
            found, "/replays", lambda t: not t["replays"][0]["running"], id=told["id"]
        )
        assert ended["replays"][0]["error"] == "it was stopped"
        held.set()


async def test_a_replay_that_is_not_taken_ends_as_deliveries_do(tmp_path):
    nobody = {"uri": "http://127.0.0.1:9/"}
    async with shop(tmp_path, {"t": (nobody, {})}) as found:
        await found.send(found.url)
        await until_told(found, "/failures", lambda t: len(t["failures"]) == 1)
        ended = await replayed(found, trigger="default/t", **{"from": "10m"})
        assert (ended["matching"], ended["delivered"], ended["dropped"]) == (1, 0, 1)


async def test_what_cannot_be_replayed_is_said(tmp_path):
    async with sink() as (target, _), shop(tmp_path, {"t": (target, {})}) as found:
        for body, status, message in (
            ({"from": "1m"}, 400, "replay to whom, and from where? give a trigger, and from"),
            ({"trigger": "default/t"}, 400, "replay to whom, and from where? give a trigger, and "
                                            "from"),
            ({"trigger": "t", "from": "1m"}, 400, "which trigger? give NAMESPACE/NAME"),
            ({"trigger": "default/x", "from": "1m"}, 404,
             "there is no trigger default/x that events are delivered to; there are: "
             "trigger default/t"),
            ({"trigger": "default/t", "from": "gone"}, 404,
             "no event with the id 'gone' is kept in this log: it holds none"),
            ({"trigger": "default/t", "from": "offset:x"}, 400,
             "'x' is no position in this log: those are numbers from 0 on"),
        ):  # fmt: skip
            got, said = await found.do("/replay", **body)
            assert (got, said["message"]) == (status, message)
        status, said = await found.ask("/replays", id="none")
        assert (status, said["message"][:27]) == (404, "there is no replay none: it")


async def test_a_trigger_is_moved_in_its_log_after_it_was_counted(tmp_path):
    async with sink() as (target, got), shop(tmp_path, {"t": (target, {})}) as found:
        for event_id in ("a", "b", "c"):
            await found.send(found.url, **{"ce-id": event_id})
        assert {(await next_of(got))["ce-id"] for _ in range(3)} == {"a", "b", "c"}
        asked = {"trigger": "default/t", "from": "id:b"}

        async def done():
            return (await found.do("/seek", **asked, dryRun="true"))[1]["again"] == 2

        async with asyncio.timeout(60):
            while not await done():  # answers are on their way back
                await asyncio.sleep(0.01)
        status, told = await found.do("/seek", **asked, dryRun="true")
        assert status == 200
        assert (told["again"], told["ahead"], told["skipped"]) == (2, 0, 0)
        assert (told["begin"], told["first"]["position"]) == ("offset:1", "1")
        assert got.empty(), "a dry run moves nothing"
        status, moved = await found.do("/seek", **asked | {"from": told["begin"]})
        assert (status, moved["again"]) == (200, 2)
        assert {(await next_of(got))["ce-id"] for _ in range(2)} == {"b", "c"}
        await found.send(found.url, **{"ce-id": "d"})
        assert (await next_of(got))["ce-id"] == "d"
        status, said = await found.do("/seek", trigger="default/t")
        assert (status, said["message"][:10]) == (400, "move what,")


async def test_held_events_are_listed_and_redriven(tmp_path):
    refuses = True

    async def answer(request):
        await request.read()
        return web.Response(status=400 if refuses else 202)

    hold = {UNDELIVERABLE: "hold"}
    async with answering(answer) as target, shop(tmp_path, {}) as found:
        for name in ("t", "other"):
            await found.create_trigger(name, target, annotations=hold)
            await found.until_ready(TRIGGERS, name)
        for event_id in ("1", "2"):
            await found.send(found.url, **{"ce-id": event_id})
        told = await until_told(found, "/failures", lambda t: len(t["failures"]) == 4)
        [first] = [
            each for each in told["failures"]
            if (each["attributes"]["id"], each["subscription"]) == ("1", "trigger default/t")
        ]  # fmt: skip
        assert (first["outcome"], first["cause"]["status"]) == ("held", 400)
        assert first["reason"] == "there is no dead letter sink"
        refuses = False
        status, told = await found.do("/redrive", trigger="default/t", id="1")
        assert status == 200
        assert [each["attributes"]["id"] for each in told["events"]] == ["1"]
        left = await until_told(found, "/failures", lambda t: len(t["failures"]) == 3)
        assert first["position"] + first["subscription"] not in [
            each["position"] + each["subscription"] for each in left["failures"]
        ]
        _, told = await found.do("/redrive", trigger="default/other", discard="true")
        assert len(told["events"]) == 2
        left = await until_told(found, "/failures", lambda t: len(t["failures"]) == 1)
        assert left["failures"][0]["subscription"] == "trigger default/t"
        await found.do("/redrive")
        leg = "trigger default/t"
        for event_id in ("1", "2"):
            await until_told(
                found, "/trace", lambda t: outcomes(t)[leg] == "delivered", id=event_id
            )


@contextlib.asynccontextmanager
async def answering(answer):
    """A subscriber that answers as it is told."""
    async with TestServer(app_of(answer)) as server:
        yield {"uri": str(server.make_url("/"))}


def app_of(answer):
    app = web.Application()
    app.router.add_post("/", answer)
    return app
