"""Which requests are for what."""

import pytest

from eventing.api.channelkinds import INMEMORY, NATSJETSTREAM
from eventing.runtime.places import (
    BROKER,
    CHANNEL,
    REQUEST_REPLY,
    BadPath,
    Place,
    place_by_host,
    place_of,
)

CHANNEL_HOST = b"c-kn-channel.ns.svc.cluster.local"


@pytest.mark.parametrize(
    ("authority", "target", "place"),
    [
        (b"", b"/ns/b", Place(BROKER, "ns", "b")),
        (b"broker-ingress.knative-eventing", b"/ns/b/?x=/y", Place(BROKER, "ns", "b")),
        (CHANNEL_HOST, b"/", Place(CHANNEL, "ns", "c")),
        (CHANNEL_HOST + b":80", b"/any/path/at/all", Place(CHANNEL, "ns", "c")),
        (b"C-KN-Channel.NS.svc", b"/", Place(CHANNEL, "ns", "c")),
        (b"c-kn-channel.ns.svc.corp.example", b"/", Place(CHANNEL, "ns", "c")),
        (b"p-kn-parallel-0-kn-channel.ns.svc", b"", Place(CHANNEL, "ns", "p-kn-parallel-0")),
        (b"c-kn-channel.example.com", b"/ns/b", Place(BROKER, "ns", "b")),
        (b"-kn-channel.ns.svc", b"/ns/b", Place(BROKER, "ns", "b")),
        (b"c-kn-jsm-channel.ns.svc", b"/", Place(NATSJETSTREAM.place, "ns", "c")),
        (b"", b"/natsjetstreamchannels/ns/c", Place(NATSJETSTREAM.place, "ns", "c")),
        (b"", b"/requestreplies/ns/r/", Place(REQUEST_REPLY, "ns", "r")),
        (b"", b"/requestreplies/r", Place(BROKER, "requestreplies", "r")),
    ],
)
def test_places(authority: bytes, target: bytes, place: Place) -> None:
    assert place_of(authority, target) == place


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/", 404),
        (b"", 404),
        (b"/b", 400),
        (b"/ns/b/c", 400),
        (b"/ns//", 400),
        (b"/requestreplies//r", 400),
        (b"//b", 400),
    ],
)
def test_what_names_no_place(target: bytes, status: int) -> None:
    with pytest.raises(BadPath) as caught:
        place_of(b"broker", target)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("place", "by_host"),
    [
        (Place(CHANNEL, "ns", "c"), "c"),
        (Place(CHANNEL, "ns", "c" * 52), "c" * 52),
        (Place(CHANNEL, "ns", "c" * 53), "c" * 20 + "be19e3d2ee383df59ee8c5236eb26246"),
        (Place(NATSJETSTREAM.place, "ns", "c"), "c"),
        (Place(BROKER, "ns", "b" * 253), "b" * 253),
    ],
)
def test_hosts_name_channels_by_their_services(place: Place, by_host: str) -> None:
    assert place_by_host(place) == place._replace(name=by_host)


@pytest.mark.parametrize("title", ["c", "c" * 63, "flow-kn-sequence-0" * 13])
def test_a_channel_is_found_by_the_host_of_its_service(title: str) -> None:
    service = INMEMORY.service_name(("ns", title))
    assert len(service) <= 63
    found = place_of(f"{service}.ns.svc.cluster.local".encode(), b"/")
    assert found == place_by_host(Place(CHANNEL, "ns", title))
