"""Events that a subscriber did not take in the end."""

from __future__ import annotations

from collections.abc import Iterator

from eventing.runtime.delivery import Hop
from eventing.runtime.journeys.failures import Failure, failures
from eventing.runtime.observer import Follows
from tests.unit.eventing.runtime.journeys.test_recorder import (
    BILLER,
    MAILER,
    a_recorder,
    an_attempt,
    an_event,
    batch,
)


def failures_of(*batches: bytes, most: int = 10) -> list[Failure]:
    def again() -> Iterator[bytes]:
        return iter(batches)

    return failures(again, most=most)


def test_dead_letters_and_what_was_dropped_are_told_and_nothing_else() -> None:
    recorder = a_recorder()
    for position in range(4):
        recorder.routed(an_event(position, str(position)), [MAILER, BILLER])
        recorder.attempted(an_attempt(an_event(position), BILLER))
    delivered, waiting, dead, dropped = map(an_event, range(4))
    recorder.attempted(an_attempt(delivered))
    recorder.attempted(an_attempt(waiting, status=503, follows=Follows.RETRY))
    recorder.attempted(an_attempt(dead, status=400, error="no", follows=Follows.DEAD_LETTER))
    taken = an_attempt(dead, hop=Hop.DEAD_LETTER, url="http://lost/", status=202)
    recorder.attempted(taken)
    recorder.attempted(an_attempt(dropped, status=410, follows=Follows.DROPPED))
    first, second = failures_of(batch(recorder))
    assert (first.journey.position, first.subscription) == (2, MAILER.label)
    assert (first.outcome, first.url) == ("dead letter", "http://lost/")
    assert (first.cause.status, first.cause.error, first.cause.hop) == (400, "no", "subscriber")
    assert (second.journey.position, second.outcome, second.url) == (3, "dropped", "")


def test_a_dead_letter_on_its_way_is_not_told_yet() -> None:
    recorder, event = a_recorder(), an_event(1)
    recorder.routed(event, [MAILER])
    recorder.attempted(an_attempt(event, status=400, follows=Follows.DEAD_LETTER))
    recorder.attempted(an_attempt(event, hop=Hop.DEAD_LETTER, status=500, follows=Follows.RETRY))
    assert failures_of(batch(recorder)) == []


def test_the_newest_are_told() -> None:
    recorder = a_recorder()
    for position in range(9):
        recorder.routed(an_event(position), [MAILER])
        recorder.attempted(an_attempt(an_event(position), follows=Follows.DROPPED))
    assert [each.journey.position for each in failures_of(batch(recorder), most=3)] == [6, 7, 8]


def test_without_failures_there_is_nothing_to_tell() -> None:
    assert failures_of() == []
