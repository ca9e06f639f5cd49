"""Events that were read a moment ago."""

from __future__ import annotations

from eventing.engines.event import StoredEvent
from eventing.engines.nats.recent import Recent


def an_event(sequence: int, size: int = 100) -> StoredEvent:
    return StoredEvent(0, 1, b"", b"", b"x" * size, None, sequence)


def test_what_was_read_is_given_again_till_there_is_newer_enough() -> None:
    recent = Recent(3 * an_event(0).size)
    made = [an_event(number) for number in range(4)]
    for event in made:
        recent.put("s", event)
    assert recent.get("s", 0) is None
    assert [recent.get("s", number) for number in (1, 2, 3)] == made[1:]
    assert recent.get("other", 1) is None


def test_one_that_is_too_large_is_not_kept_and_nothing_is_left_of_it() -> None:
    recent = Recent(1000)
    recent.put("s", an_event(1, 5000))
    recent.put("s", an_event(2))
    assert recent.get("s", 1) is None
    assert recent.get("s", 2) is not None


def test_a_stream_made_anew_has_other_events() -> None:
    recent = Recent()
    recent.put("s", an_event(1))
    recent.put("t", an_event(1))
    recent.forget("s")
    assert recent.get("s", 1) is None
    assert recent.get("t", 1) is not None
