"""Who waits for an event is told once, and nobody else."""

from __future__ import annotations

from eventing.engines.event import StoredEvent
from eventing.runtime.expectations import Expectations


def event(**attributes: str) -> StoredEvent:
    return StoredEvent(0, 1, b"", b"", b"", attributes)


def test_the_first_event_with_the_value_is_told() -> None:
    expectations, come = Expectations(), list[StoredEvent]()
    assert not expectations
    expectations.expect("replyid", "1", come.append)
    expectations.expect("replyid", "2", come.append)
    assert expectations
    wanted = event(replyid="1")
    expectations.tell([event(), event(replyid="x"), event(other="1"), wanted, event(replyid="1")])
    assert come == [wanted]
    expectations.forget("replyid", "2")
    expectations.forget("replyid", "2")
    expectations.forget("another", "2")
    assert not expectations


def test_a_fault_of_one_who_waits_keeps_nobody_else_waiting() -> None:
    expectations, come = Expectations(), list[StoredEvent]()

    def fail(_: StoredEvent) -> None:
        raise RuntimeError

    expectations.expect("a", "1", fail)
    expectations.expect("b", "1", come.append)
    expectations.tell([event(a="1", b="1")])
    assert len(come) == 1
    assert not expectations
