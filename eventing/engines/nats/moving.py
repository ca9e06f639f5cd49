"""How far a consumer is, for another log to go on there; and a consumer that goes on like that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from eventing.engines.event import Position
from eventing.engines.nats import names
from eventing.engines.nats.asides import Aside, Kind
from eventing.engines.nats.consumers import Consumers
from eventing.engines.seam import Begin, Standing, Start, Unavailable
from hearth.timeouts import time_limit

_PORTION_BYTES = 1024 * 1024


async def seek(consumers: Consumers, consumer_id: str, begin: Begin) -> None:
    """Have a closed consumer begin elsewhere."""
    await consumers.gone()
    sequence = await consumers.stream.sequence(begin)
    await consumers.renew(consumer_id, sequence)
    asides, tag = consumers.asides, names.plain(consumer_id)
    await asides.open()
    for at, aside in list(asides.of(tag).items()):
        if at >= sequence or aside.kind is not Kind.PARKED:
            asides.put(tag, at, None)
    await asides.flush()
    consumers.stream.touched = True


async def standing(consumers: Consumers, consumer_id: str) -> Standing:
    """Have the server give again what is unsettled, for it does not tell which that is."""
    await consumers.gone()
    stream = consumers.stream
    _, state = (await consumers.listed())[consumer_id]
    following = int(state["delivered"]["stream_seq"]) + 1
    pending = int(state["num_ack_pending"])
    ordered = bool(state["config"].get("priority_groups"))
    consumer = await consumers.open(consumer_id, Start.LATEST, ordered=ordered)
    try:
        async with time_limit(2 * consumers.limits.ack_seconds):
            while len(found := consumer.unsettled(following)) < pending:
                await consumer.fetch(_PORTION_BYTES)
    except TimeoutError:
        text = f"another process works on {pending - len(found)} events of {stream.name}"
        raise Unavailable(text) from None
    finally:
        consumer.close()
    await stream.look()
    notes = consumers.asides.of(consumer.tag)
    recalled = [at for at, each in notes.items() if each.kind is Kind.RECALLED]
    still: dict[Position, str] = {
        at: notes[at].text if at in notes else "" for at in (*found, *recalled)
    }
    aside: dict[Position, str] = {
        at: each.text for at, each in notes.items() if each.kind is Kind.PARKED
    }
    return Standing((following,) if following <= stream.last else (), still, aside)


async def place(consumers: Consumers, consumer_id: str, standing: Standing) -> None:
    """Make a consumer of the next generation; what lies before it is recalled or set aside."""
    await consumers.gone()
    await consumers.stream.look()
    end = consumers.stream.last + 1
    following = cast(int, standing.following[0]) if standing.following else end
    still = dict(cast(Mapping[int, str], standing.open))
    while still.get(following - 1) == "":
        following -= 1
        del still[following]
    asides, tag = consumers.asides, names.plain(consumer_id)
    await asides.open()
    asides.forget(tag)
    for at, text in still.items():
        asides.put(tag, at, Aside(Kind.RECALLED, text))
    for at, text in cast(Mapping[int, str], standing.aside).items():
        asides.put(tag, at, Aside(Kind.PARKED, text or "-"))
    await asides.flush()
    await consumers.renew(consumer_id, following)
