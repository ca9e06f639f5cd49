"""Events as AWS takes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.codec import Event
from eventing.sinks import messages
from eventing.sinks.seam import NotTaken


def an_event(data: bytes | None = b"hi", **more: Any) -> Event:
    return Event({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", **more}, data)


def test_what_is_sent_again_is_known_by_its_source_and_id() -> None:
    same = messages.identity_of(an_event(b"other", subject="x"))
    assert messages.identity_of(an_event()) == same
    assert messages.identity_of(an_event(id="2")) != same
    assert messages.identity_of(an_event(source="/other")) != same


@pytest.mark.parametrize("data", [b"", None, b"\xff"])
def test_what_is_no_text_is_no_message(data: bytes | None) -> None:
    with pytest.raises(NotTaken):
        messages.text_of(an_event(data))


@given(st.dictionaries(st.from_regex(r"[a-z]{1,12}", fullmatch=True), st.text(min_size=1)))
def test_a_message_has_ten_attributes_at_most_the_events_own_first(more: dict[str, str]) -> None:
    taken: Any = {"id", "type", "data", "source"}
    event = an_event(None, **{k: v for k, v in more.items() if k not in taken})
    told = messages.message_attributes(event)
    assert len(told) <= 10
    assert list(told)[:4] == ["ce-specversion", "ce-id", "ce-source", "ce-type"]
    assert all(each["StringValue"] for each in told.values())


def test_a_fifo_queue_is_told_of_order_and_duplicates() -> None:
    assert messages.fifo_fields(an_event(), "https://sqs/q") == {}
    event = an_event(partitionkey="k")
    told = messages.fifo_fields(event, "https://sqs/q.fifo")
    assert told == {
        "MessageGroupId": "k",
        "MessageDeduplicationId": messages.identity_of(event),
    }
    assert messages.fifo_fields(an_event(), "q.fifo")["MessageGroupId"] == "/s"
    strange = messages.fifo_fields(an_event(partitionkey="ü"), "q.fifo")["MessageGroupId"]
    assert strange.isascii() and len(strange) == 36


@pytest.mark.parametrize("subject", ["", "ü", "a\nb", " a", "x" * 101])
def test_a_subject_that_notifications_cannot_have_is_left_out(subject: str) -> None:
    assert messages.subject_fields(an_event(subject=subject)) == {}


def test_a_subject_goes_along() -> None:
    assert messages.subject_fields(an_event(subject="about")) == {"Subject": "about"}


def test_an_object_has_the_name_that_the_event_gives_it() -> None:
    assert messages.object_key(an_event(file="a/b")) == "a/b"
    assert messages.object_key(an_event()) == messages.identity_of(an_event())


def test_metadata_is_what_there_is_room_for() -> None:
    told = messages.object_metadata(an_event(subject="ü", datacontenttype="text/plain"))
    assert told["ce-subject"] == "%C3%BC" and "content-type" not in told
    assert messages.object_metadata(an_event(subject="x" * 2000)) == {}
