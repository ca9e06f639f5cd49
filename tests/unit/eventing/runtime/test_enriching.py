"""Events with the attributes that they are given: on the wire, in JSON, as filters see them."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventing.api.enrichment import Enrichment
from eventing.codec import Event, encode_structured
from eventing.codec.binary import attributes_of_head
from eventing.engines.event import StoredEvent
from eventing.runtime.enriching import enriched
from eventing.runtime.intake import prepare


def stored(**more):
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", **more}
    one = prepare(Event(attributes, b"data"), arrival_ns=1)
    return StoredEvent(one.arrival_ns, one.ttl, one.head, one.types, one.data, None, 7)


def given_to(event, text):
    return enriched(event, Enrichment.from_text(text))


def test_attributes_are_added_and_replaced():
    event = stored(stage="first", count=3)
    found = given_to(event, "stage = 'second \u00e9'\nlarge = TRUE\ncount = 'many'\nn = 4")
    assert found.attributes["stage"] == "second \u00e9"
    assert (found.attributes["large"], found.attributes["n"]) == ("true", "4")
    assert found.position == 7 and found.data == b"data"
    assert attributes_of_head(found.head) == found.attributes
    assert found.head.count(b"ce-stage:") == 1
    written = json.loads(encode_structured(found.to_event()))
    assert (written["large"], written["n"], written["count"]) == (True, 4, "many")
    # The event of the log is what it was: other subscriptions have it, too.
    assert event.attributes["stage"] == "first" and "large" not in event.attributes


def test_where_nothing_is_set_the_event_stays_what_it_is():
    event = stored()
    assert given_to(event, "a = nothere") is event
    assert given_to(event, "subject = ''") is event  # may not be empty
    assert given_to(event, "empty = ''").attributes["empty"] == ""


@pytest.mark.parametrize("value", ["\ud800", "a\udfff", "\ufffe", "\x07"])
def test_values_that_no_attribute_may_have_are_left_out(value):
    found = given_to(stored(), f"a = '{value}'\nb = 'b'")
    assert "a" not in found.attributes and found.attributes["b"] == "b"


def test_values_that_are_too_large_together_are_left_out():
    event = stored(long="x" * 40_000)
    found = given_to(event, "one = long\ntwo = 'short'")
    assert "one" not in found.attributes
    assert found.attributes["two"] == "short"


@example("\ud800")
@given(st.text(alphabet=st.characters(exclude_characters="'\\\r\n"), max_size=20))
def test_whatever_a_constant_says_the_head_stays_sound(value):
    lines = value.splitlines()
    if len(lines) > 1:
        return
    try:
        enrichment = Enrichment.from_text(f"a = '{value}'")
    except ValueError:
        return
    found = enriched(stored(), enrichment)
    assert attributes_of_head(found.head) == found.attributes
    if "a" in found.attributes:
        assert found.attributes["a"] == value
