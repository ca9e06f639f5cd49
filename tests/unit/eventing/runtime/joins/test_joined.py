"""What was gathered becomes an event for the log."""

import json

from eventing.api.joins import DATA, JoinOptions
from eventing.engines.event import StoredEvent
from eventing.runtime.joins.joined import joined_of
from eventing.runtime.joins.parts import REPLIED
from eventing.runtime.joins.table import Gathered, Told

TRACE = b"0af7651916cd43dd8448eb211c80319c"
MARK = b"traceparent: 00-%b-b7ad6b7169203331-01\r\n" % TRACE


def part(position, event_id, data=b"", head=b""):
    lines = (
        b"ce-specversion: 1.0\r\nce-id: %b\r\nce-source: /s\r\nce-type: t\r\n"
        b"content-type: application/json\r\n" % event_id
    )
    return StoredEvent(5, 255, head + lines, b"", data, None, position)


def joined(parts, event, *branches):
    told = [Told(REPLIED, positions) for positions in branches]
    gathered = Gathered("T", event, told, True)
    options = JoinOptions(DATA, branches=len(told), source="/p")
    return joined_of(gathered, options, parts.get, arrival_ns=7, most_bytes=1000)


def test_it_goes_on_in_the_trace_of_the_event_that_came():
    parts = {0: part(0, b"o", head=MARK), 1: part(1, b"a", b"1"), 2: part(2, b"b", b"2")}
    original, made = joined(parts, 0, [1], [2])
    assert original is parts[0]
    assert json.loads(made.data) == [1, 2]
    assert made.head.startswith(b"traceparent: 00-" + TRACE)
    assert made.attributes["causationid"] == "o"
    assert made.arrival_ns == 7


def test_an_event_that_never_came_and_a_part_that_is_damaged():
    original, made = joined({1: part(1, b"a", b"1")}, None, [1], [2])
    assert original is None
    assert json.loads(made.data) == [1, []]  # it replied; with what is not known any more
    assert "causationid" not in made.attributes
    original, made = joined({1: part(1, b"a", b"1")}, 0, [1])
    assert original is None and json.loads(made.data) == [1]
