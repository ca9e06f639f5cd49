"""The steps of the demo. Each returns what it saw, or raises Failed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hearth.cli.demo.stage import NAMESPACE, Failed, Stage
from hearth.knative.resources import BROKERS, KSERVICES, REVISIONS, TRIGGERS
from hearth.kube import meta
from hearth.kube.resources import DEPLOYMENTS, PODS
from hearth.timeouts import time_limit

BURST = 200
SPLIT_REQUESTS = 2000
_CONNECTIONS = 16
_EVENT_SERVICES = ("orders", "mailer", "refuser", "lost-and-found")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the tour: ``act`` returns what it saw, or raises Failed."""

    title: str
    act: Callable[[Stage], Awaitable[str]]


def check(holds: bool, text: str) -> None:
    """Raises Failed with the text where something does not hold."""
    if not holds:
        raise Failed(text)


async def ready(stage: Stage) -> str:
    """Hearth has started."""
    return f"API server, node, controllers and gateway in {stage.started_in:.2f} s"


async def apply_to_ready(stage: Stage) -> str:
    """A service becomes Ready after it was applied."""
    began = time.monotonic()
    await stage.apply("hello.yaml")
    await stage.until(lambda: stage.is_ready(KSERVICES, "hello"), "service hello ready")
    return f"{milliseconds(time.monotonic() - began)} from apply to Ready, at {stage.url('hello')}"


async def first_answer(stage: Stage) -> str:
    """The service answers."""
    answer = await stage.get("hello")
    check(answer.status == 200 and answer.body == "Hello World!\n", f"answered {answer}")
    return f"{answer.body.strip()!r} in {milliseconds(answer.seconds)}"


async def apply_the_rest(stage: Stage) -> str:
    """More services, a broker and its triggers become Ready."""
    await stage.apply("burst.yaml")
    await stage.apply("events.yaml")
    names = ("burst", *_EVENT_SERVICES)
    await stage.until(
        lambda: (
            all(stage.is_ready(KSERVICES, n) for n in names)
            and stage.is_ready(BROKERS, "default")
            and all(stage.is_ready(TRIGGERS, n) for n in ("orders", "mailer", "refuser"))
        ),
        "burst.yaml and events.yaml ready",
    )
    return f"{len(names)} services, a broker and 3 triggers are Ready"


async def scale_to_zero(stage: Stage) -> str:
    """Without requests all pods go."""
    began = time.monotonic()
    await stage.until(lambda: not stage.objects(PODS), "all pods gone", seconds=45)
    return f"no pod left {time.monotonic() - began:.1f} s after the last request"


async def cold_start(stage: Stage) -> str:
    """A request wakes a service at zero, and its answer says where the time went."""
    answer = await stage.get("hello")
    check(answer.status == 200, f"answered {answer.status} {answer.body!r}")
    timing = answer.headers.get("Server-Timing", "")
    check(bool(timing), "the cold answer carries no Server-Timing")
    return f"answered in {milliseconds(answer.seconds)}: {timing}"


async def burst(stage: Stage) -> str:
    """Many requests at once to a service at zero are all answered, by several pods."""
    check(not stage.pods("burst"), "burst was not at zero")
    max_pods = 0

    async def watch_pods() -> None:
        nonlocal max_pods
        while True:
            max_pods = max(max_pods, len(stage.pods("burst")))
            await stage.change()

    watcher = asyncio.create_task(watch_pods())
    began = time.monotonic()
    answers = await asyncio.gather(*(stage.get("burst") for _ in range(BURST)))
    seconds = time.monotonic() - began
    watcher.cancel()
    codes = Counter(answer.status for answer in answers)
    check(codes == {200: BURST}, f"answers by status: {dict(codes)}")
    check(max_pods > 1, f"only {max_pods} pod was made")
    return f"{BURST} at once from zero: 0 to {max_pods} pods, 0 errors, {seconds:.2f} s"


async def split(stage: Stage) -> str:
    """A tenth of the requests reaches a second revision."""
    await stage.apply("hello-v2.yaml")
    await stage.until(lambda: stage.is_ready(KSERVICES, "hello"), "second revision ready")
    share = await _share_of_version_two(stage, SPLIT_REQUESTS)
    check(0.06 <= share <= 0.14, f"{share:.1%} of the requests reached the second revision")
    return f"{SPLIT_REQUESTS} requests: {share:.1%} to the second revision (10 % wanted), 0 failed"


async def shift(stage: Stage) -> str:
    """Half of the traffic moves, then all, while requests go on; none may fail."""
    shares = []
    for percent in (50, 100):
        shifting = asyncio.create_task(_set_percent(stage, percent))
        on_the_way = 0
        while not shifting.done():
            await _share_of_version_two(stage, 100)
            on_the_way += 100
        await shifting
        share = await _share_of_version_two(stage, 500)
        check(abs(share - percent / 100) <= 0.08, f"{share:.1%} instead of {percent} %")
        shares.append(f"{percent} %: {share:.1%} of 500")
    return ", ".join(shares) + "; 0 failed on the way"


async def _set_percent(stage: Stage, percent: int) -> None:
    first = [{"revisionName": "hello-00001", "percent": 100 - percent}] if percent < 100 else []
    latest = {"latestRevision": True, "percent": percent, "tag": "candidate"}
    patch = {"spec": {"traffic": [*first, latest]}}
    await stage.client.patch(KSERVICES, "hello", NAMESPACE, patch)
    await stage.until(lambda: stage.is_ready(KSERVICES, "hello"), f"traffic at {percent} %")


async def _share_of_version_two(stage: Stage, requests: int) -> float:
    bodies: Counter[str] = Counter()

    async def worker(count: int) -> None:
        for _ in range(count):
            answer = await stage.get("hello")
            check(answer.status == 200, f"a request failed: {answer.status} {answer.body!r}")
            bodies[answer.body.strip()] += 1

    each, extra = divmod(requests, _CONNECTIONS)
    counts = [each + (n < extra) for n in range(_CONNECTIONS)]
    await asyncio.gather(*(worker(count) for count in counts if count))
    return bodies["Hello Version Two!"] / requests


async def event_and_reply(stage: Stage) -> str:
    """An event wakes a service, whose reply reaches another one."""
    check(not stage.pods("orders"), "service orders was not at zero")
    began = time.monotonic()
    url = await stage.broker_url("default")
    event = {"specversion": "1.0", "id": "1", "source": "demo", "type": "order.created"}
    code = await stage.send_event(url, event, {"order": 42})
    check(code == 202, f"the broker answered {code}")
    accepted = time.monotonic() - began
    reply = await _event_at(stage, "mailer", "order.confirmed")
    took = time.monotonic() - began
    return (
        f"accepted on disk in {milliseconds(accepted)}, woke `orders`, "
        f"its reply {reply['type']!r} reached `mailer` {milliseconds(took)} later"
    )


async def dead_letter(stage: Stage) -> str:
    """An event that is refused again and again reaches the dead letter sink."""
    url = await stage.broker_url("default")
    event = {"specversion": "1.0", "id": "2", "source": "demo", "type": "order.lost"}
    code = await stage.send_event(url, event, {"order": 43})
    check(code == 202, f"the broker answered {code}")
    letter = await _event_at(stage, "lost-and-found", "order.lost")
    check(letter.get("knativeerrorcode") == "503", f"the dead letter carries {letter}")
    return f"refused 3 times, then in the dead letter sink with code {letter['knativeerrorcode']}"


async def _event_at(stage: Stage, service: str, kind: str) -> dict[str, str]:
    """The event of this type that a service received; asking also keeps its pod awake."""
    try:
        async with time_limit(20):
            while True:
                for entry in await stage.received(service):
                    if entry["received"].get("type") == kind:
                        return dict(entry["received"])
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise Failed(f"no event of type {kind} reached {service} within 20 s") from None


async def deletion(stage: Stage) -> str:
    """Nothing is left of what is deleted."""
    for resource in (TRIGGERS, BROKERS, KSERVICES):
        for obj in stage.objects(resource):
            await stage.client.delete(resource, meta.name(obj), NAMESPACE)
    rest = (KSERVICES, REVISIONS, DEPLOYMENTS, PODS, BROKERS, TRIGGERS)
    took = await stage.until(
        lambda: not any(stage.objects(resource) for resource in rest),
        "nothing left of the deleted services",
        seconds=40,
    )
    return f"services, revisions, deployments, pods, broker, triggers gone in {took:.1f} s"


def milliseconds(seconds: float) -> str:
    """Writes seconds as milliseconds."""
    return f"{seconds * 1000:.0f} ms"


STEPS = (
    Step("Hearth starts", ready),
    Step("Apply to Ready", apply_to_ready),
    Step("First answer", first_answer),
    Step("More services", apply_the_rest),
    Step("Scale to zero", scale_to_zero),
    Step("Cold start", cold_start),
    Step("Burst from zero", burst),
    Step("Event wakes a service", event_and_reply),
    Step("Dead letter", dead_letter),
    Step("10 % to a new revision", split),
    Step("Then 50 %, then 100 %", shift),
    Step("Deletion", deletion),
)
