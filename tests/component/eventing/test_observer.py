"""What an observer is told of the way of events, on real sockets."""

from aiohttp import web

from eventing.runtime.delivery import Hop
from eventing.runtime.observer import Follows
from tests.component.eventing.test_broker import headers, plane, sink
from tests.waiting import until


class Observer:
    """Notes what it is told, in order."""

    def __init__(self):
        self.told = []

    def routed(self, event, matched):
        self.told.append(("routed", event.attributes["id"], [each.name for each in matched]))

    def attempted(self, attempt):
        assert attempt.seconds >= 0
        assert (attempt.retry_at > 0) == (attempt.follows in (Follows.RETRY, Follows.WAITING))
        self.told.append(
            (
                attempt.subscription.name,
                attempt.event.attributes["id"],
                attempt.hop,
                attempt.number,
                attempt.status,
                attempt.follows,
            )
        )
        self.urls = [*getattr(self, "urls", []), attempt.url]

    def replied(self, subscription, event, reply, url):
        told = (subscription.name, event.attributes["id"], "replied", reply.attributes["id"], url)
        self.told.append(told)

    def settled(self, subscription, event):
        self.told.append((subscription.name, event.attributes["id"], "settled"))

    def of(self, event_id):
        return [each for each in self.told if each[1] == event_id]


async def test_retries_and_a_reply_are_told(tmp_path):
    observer = Observer()

    def answer(request, number):
        if number == 1:
            return web.Response(status=503)
        return web.Response(headers=headers("r", type="reply") | {"ce-type": "reply"}, body=b"{}")

    async with sink(answer) as target, plane(tmp_path, observer=observer) as broker:
        await broker.subscribe("t", target, filters=[{"exact": {"type": "t"}}])
        assert await broker.send(1) == 202
        await until(lambda: ("t", "1", "settled") in observer.told)
        await until(lambda: observer.of("r") == [("routed", "r", [])])
    assert observer.of("1") == [
        ("routed", "1", ["t"]),
        ("t", "1", Hop.SUBSCRIBER, 1, 503, Follows.RETRY),
        ("t", "1", "replied", "r", ""),
        ("t", "1", Hop.SUBSCRIBER, 2, 200, Follows.REPLY),
        ("t", "1", "settled"),
    ]
    assert observer.urls == [target.url, target.url]


async def test_dead_letters_and_drops_are_told(tmp_path):
    observer = Observer()
    bad = lambda request, number: web.Response(status=400)
    async with sink(bad) as target, sink() as dead, plane(tmp_path, observer=observer) as broker:
        await broker.subscribe("saved", target, dead_letter=dead)
        await broker.subscribe("lost", target)
        await broker.send(1)
        await until(lambda: sum("settled" in each for each in observer.told) == 2)
    assert [each for each in observer.told if each[0] == "saved"] == [
        ("saved", "1", Hop.SUBSCRIBER, 1, 400, Follows.DEAD_LETTER),
        ("saved", "1", Hop.DEAD_LETTER, 1, 200, Follows.DONE),
        ("saved", "1", "settled"),
    ]
    assert [each for each in observer.told if each[0] == "lost"] == [
        ("lost", "1", Hop.SUBSCRIBER, 1, 400, Follows.DROPPED),
        ("lost", "1", "settled"),
    ]
    assert dead.url in observer.urls


async def test_an_observer_comes_and_goes(tmp_path):
    first, second = Observer(), Observer()
    async with sink() as target, plane(tmp_path, observer=first) as broker:
        await broker.subscribe("t", target)
        for number, observer in enumerate((first, None, second)):
            broker.runtime.observe(observer)
            await broker.send(number)
            await target.until_ids(number)
            await broker.idle("t")
    assert first.of("0") and second.of("2")
    assert first.of("1") == second.of("1") == []
