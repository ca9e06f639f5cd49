import pytest

from eventing.engines.event import RenderedEvent
from eventing.runtime.places import BROKER, CHANNEL, JOB_SINK, Place
from eventing.runtime.tracing.words import (
    kept_of,
    of_event,
    of_place,
    of_url,
    shared_of_event,
    without_secrets,
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a.ns/path", "http://a.ns/path"),
        ("http://user:secret@a.ns:81/path", "http://a.ns:81/path"),
        ("https://a.ns/path?token=secret#x", "https://a.ns/path"),
        ("", ""),
    ],
)
def test_urls_are_told_without_what_may_be_secret(url, shown):
    assert without_secrets(url) == shown
    assert of_url(url)["url.full"] == shown


def test_where_a_request_went():
    assert of_url("https://a.ns/x")["server.port"] == 443
    told = of_url("http://a.ns:81/x")
    assert (told["server.address"], told["server.port"]) == ("a.ns", 81)
    assert "server.address" not in of_url("")


def test_places_have_knatives_names():
    assert of_place(Place(BROKER, "ns", "b")) == {
        "kn.broker.name": "b",
        "kn.broker.namespace": "ns",
    }
    assert of_place(Place(CHANNEL, "ns", "c")) == {
        "kn.channel.name": "c",
        "kn.channel.namespace": "ns",
    }
    assert of_place(Place(JOB_SINK, "ns", "j"))["kn.sink.kind"] == JOB_SINK


def test_of_a_large_event_only_what_is_told_is_kept_and_not_all_of_that():
    small = RenderedEvent(1, 2, b"x" * 4096, b"", b"", {"type": "t", "ext": "x"})
    assert kept_of(small) == {"type": "t", "ext": "x"}
    large = RenderedEvent(1, 2, b"x" * 4097, b"", b"", {"type": "t" * 9000, "ext": "x" * 9000})
    assert kept_of(large) == {"type": "t" * 1024}


def test_values_of_events_are_cut_where_they_are_long():
    assert of_event({"type": "t" * 5000, "ext": "x"}) == {"cloudevents.type": "t" * 1024}


def test_what_several_spans_tell_of_an_event_is_made_once():
    attributes = {"type": "t", "id": "1"}
    shared = shared_of_event(attributes)
    assert shared_of_event(attributes) is shared
    assert shared.attributes == of_event(attributes)
    # Equal ones are not the same: nothing is compared.
    assert shared_of_event(dict(attributes)) is not shared
    for number in range(1000):
        assert shared_of_event({"id": f"{number}"}).attributes == {
            "messaging.message.id": f"{number}"
        }
