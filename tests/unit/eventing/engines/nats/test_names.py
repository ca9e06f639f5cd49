"""Names of streams, consumers and subjects."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.engines.nats import names


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_becomes_a_token_and_others_another(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,160}", names.plain(one))
    assert (names.plain(one) == names.plain(other)) == (one == other)


def test_a_log_is_a_stream_of_its_name() -> None:
    stream = names.stream_name("HEARTH", "default_orders_0a1b")
    assert stream == "HEARTH_default_orders_0a1b"
    assert names.event_subject("HEARTH", stream) == "hearth.events.HEARTH_default_orders_0a1b"
    assert names.stream_name("H", "a.b") != names.stream_name("H", "a_b")


def test_the_next_generation_of_a_consumer_has_another_name() -> None:
    first = names.consumer_name("6b1f-uid", 0)
    assert (first, names.generation_of(first)) == ("6b1f-uid-0", 0)
    assert names.generation_of(names.consumer_name("replay-0", 12)) == 12


@pytest.mark.parametrize(
    "subject",
    ["$JS.ACK.s.c.3.17.21.1700.4", "$JS.ACK.hub.acc.s.c.3.17.21.1700.4.x"],
    ids=["as it was", "with a domain"],
)
def test_a_delivery_says_where_its_event_lies_and_since_when(subject: str) -> None:
    assert names.delivery_of(subject) == (17, 1700)
