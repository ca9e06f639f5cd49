"""Which Events become objects, and at which pace they are written."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube import events
from hearth.kube.client import KubeClient
from hearth.kube.eventcorrelation import (
    BURST,
    COMBINED,
    MAX_MESSAGE,
    MAX_OBJECTS,
    REFILL_SECONDS,
    SIMILAR,
    SIMILAR_SECONDS,
    Correlator,
    Note,
)
from hearth.kube.events import MAX_WAITING, EventRecorder, make_event
from hearth.kube.meta import Object
from hearth.kube.plan import Event
from hearth.kube.testing import an_object


def said(message: str, *, about: str = "web", reason: str = "Tested") -> Object:
    event = Event({**an_object(about), "kind": "Pod"}, "Normal", reason, message)
    return make_event(event, "tests", now=0.0)


def noted(correlator: Correlator, message: str, *, now: float = 0.0, about: str = "web") -> Note:
    note = correlator.note(said(message, about=about), now)
    assert note is not None
    return note


def test_equal_events_are_one_object_that_counts() -> None:
    correlator = Correlator()
    first, again = noted(correlator, "it was"), noted(correlator, "it was")
    assert again is first and first.body["count"] == 2
    assert noted(correlator, "it was", about="another") is not first
    assert noted(correlator, "it was", now=SIMILAR_SECONDS + 1) is not first


def test_of_ten_that_differ_in_their_message_alone_the_rest_is_one() -> None:
    correlator = Correlator()
    apart = [noted(correlator, str(number)) for number in range(SIMILAR - 1)]
    combined = [noted(correlator, text) for text in ("a", "b" * MAX_MESSAGE)]
    assert len({id(note) for note in (*apart, *combined)}) == SIMILAR
    assert combined[1].body["count"] == 2
    assert combined[1].body["message"] == (COMBINED + "b" * MAX_MESSAGE)[:MAX_MESSAGE]
    assert noted(correlator, "0") is apart[0]


def test_a_flood_about_one_object_is_cut_off_and_may_go_on_slowly() -> None:
    correlator = Correlator()
    assert all(correlator.note(said("x", reason=str(n)), 0.0) for n in range(BURST))
    assert correlator.note(said("x"), 0.0) is None
    assert correlator.note(said("x", about="another"), 0.0) is not None
    assert correlator.note(said("x"), REFILL_SECONDS + 1) is not None
    assert correlator.note(said("x"), REFILL_SECONDS + 1) is None


def test_those_of_long_ago_are_forgotten() -> None:
    correlator = Correlator()
    first = noted(correlator, "x", about="0")
    for number in range(1, MAX_OBJECTS + 1):
        noted(correlator, "x", about=str(number))
    assert noted(correlator, "x", about="0") is not first


Step = tuple[str, str, str, float]
steps = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from("xy"),
        st.integers(0, 14).map(str),
        st.floats(0, SIMILAR_SECONDS, allow_subnormal=False),
    ),
    max_size=60,
)


def told(correlator: Correlator, steps: list[Step], *, settles: bool) -> list[object]:
    """What becomes of Events; each is written at once, but for those that are refused."""
    now, written = 0.0, list[object]()
    for about, reason, message, after in steps:
        now += after
        body = said(message, about=about, reason=reason)
        note = correlator.note(body | {"metadata": {"name": str(len(written))}}, now)
        written.append(note and (note.body, note.is_written))
        if note is not None and message != "0":
            note.written()
        if note is not None and settles:
            correlator.settled(note)
    return written


@given(steps)
def test_who_is_at_rest_is_remembered_as_before(steps: list[Step]) -> None:
    assert told(Correlator(), steps, settles=True) == told(Correlator(), steps, settles=False)


def test_who_waits_to_be_written_is_not_at_rest() -> None:
    correlator = Correlator()
    waiting, written = noted(correlator, "waiting"), noted(correlator, "written")
    waiting.is_waiting = True
    correlator.settled(written)
    assert noted(correlator, "waiting") is waiting
    waiting.is_waiting = False
    correlator.settled(waiting)
    assert noted(correlator, "waiting").body["count"] == 3


class Api:
    """Takes Events; ``writes`` is what it was asked for."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, Any]] = []

    async def create(self, _resource: object, body: Object) -> None:
        self.writes.append(("create", body["message"]))

    async def patch(self, _resource: object, _name: str, _namespace: str, patch: Object) -> None:
        self.writes.append(("patch", (patch["message"], patch["count"])))

    async def after(self, recorder: EventRecorder, writes: int) -> list[tuple[str, Any]]:
        """Run until so many are written."""
        task = asyncio.create_task(recorder.run())
        while len(self.writes) < writes:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return self.writes


def a_recorder(api: Api) -> EventRecorder:
    return EventRecorder(cast("KubeClient", api), delay_seconds=0.0, clock=lambda: 0.0)


def tell(recorder: EventRecorder, message: str, kind: str = "Normal", about: str = "web") -> None:
    recorder.record(Event(an_object(about), kind, "Tested", message), "tests")


async def test_what_is_said_again_before_it_is_written_is_written_once() -> None:
    api = Api()
    recorder = a_recorder(api)
    for text in ("a", "a", "b"):
        tell(recorder, text)
    assert await api.after(recorder, 2) == [("create", "a"), ("create", "b")]
    tell(recorder, "a")
    assert (await api.after(recorder, 3))[2:] == [("patch", ("a", 3))]


async def test_an_event_about_what_is_at_rest_is_written_as_one_more() -> None:
    api = Api()
    recorder = a_recorder(api)
    tell(recorder, "a")
    await api.after(recorder, 1)
    tell(recorder, "a")
    tell(recorder, "b")
    assert (await api.after(recorder, 3))[1:] == [("patch", ("a", 2)), ("create", "b")]


async def test_a_message_that_is_no_text_is_written_as_far_as_it_is() -> None:
    api = Api()
    recorder = a_recorder(api)
    tell(recorder, "a\udcff")
    assert await api.after(recorder, 1) == [("create", "a?")]


async def test_what_is_too_much_is_dropped_and_warnings_last() -> None:
    api = Api()
    recorder = a_recorder(api)
    for number in range(MAX_WAITING + 10):
        tell(recorder, "normal", about=str(number))
    tell(recorder, "a warning", "Warning")
    recorder._recorded_at = -10.0  # nobody has said anything for a while
    written = await api.after(recorder, MAX_WAITING + 1)
    assert len(written) == MAX_WAITING + 1 and written[-1] == ("create", "a warning")


async def test_many_are_written_slowly_while_more_come(monkeypatch: pytest.MonkeyPatch) -> None:
    api, pauses = Api(), []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real_sleep(0)

    real_sleep = asyncio.sleep
    recorder = a_recorder(api)
    for number in range(events.AT_ONCE + 5):
        tell(recorder, "x", about=str(number))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    task = asyncio.create_task(recorder.run())
    while len(pauses) < events.AT_ONCE + 6:
        await real_sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert pauses[1:] == [0.0] * events.AT_ONCE + [events.PAUSE_SECONDS] * 5
