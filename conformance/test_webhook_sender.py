"""The webhook specification: how a sender asks for permission, and what it does with it."""

from __future__ import annotations

import pytest

from conformance.addresses import Address
from conformance.hub import CLOCKS, Reply, ids
from conformance.messages import binary, event
from conformance.rules import rule

ORIGIN = "eventemitter.example.com"
FAST = {"retry": 3, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}


def allowing(*, origin: str | None = "*", rate: str | None = "*") -> Reply:
    """An answer to the validation request."""
    given = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": rate, "Allow": "POST"}
    return Reply(200, tuple((name, value) for name, value in given.items() if value is not None))


@pytest.fixture(scope="session")
def handshake(request: pytest.FixtureRequest) -> dict[str, str]:
    """The annotation that has an implementation ask for permission."""
    given = request.config.getoption("--handshake")
    if not given and request.config.getoption("--kubeconfig"):
        pytest.skip("say by --handshake NAME=VALUE how the handshake is switched on")
    name, _, value = (given or "eventing.hearth.dev/webhook-handshake=required").partition("=")
    return {name: value}


@rule("WH-04", "WH-23", "WH-24")
def test_permission_is_asked_for_and_the_origin_told_from_then_on(address: Address, handshake):
    box = address.hub.box(Reply(202), options=[allowing()])
    address.subscribe(box, annotations=handshake)
    for _ in range(3):
        address.put_in(binary(event()))
    deliveries = box.wait(3)
    asked = box.received("OPTIONS")
    assert asked
    origin = asked[0].header("webhook-request-origin")
    assert origin
    assert {each.header("webhook-request-origin") for each in deliveries} == {origin}


@rule("WH-31", "WH-24")
def test_permission_may_name_the_origin(address: Address, handshake):
    first = address.hub.box(options=[allowing()])
    address.subscribe(first, annotations=handshake)
    address.put_in(binary(event()))
    [got] = first.wait()
    origin = got.header("webhook-request-origin")
    box = address.hub.box(options=[allowing(origin=origin)])
    address.subscribe(box, annotations=handshake)
    address.put_in(binary(event()))
    assert len(box.wait()) == 1


@rule("WH-27")
@pytest.mark.parametrize(
    "answer",
    [
        Reply(200),
        Reply(404),
        allowing(origin=None),
        allowing(origin="another.example.com"),
    ],
    ids=["200 and nothing else", "404", "a rate alone", "another origin"],
)
def test_without_permission_nothing_is_delivered(address: Address, handshake, answer):
    box, dead = address.hub.box(options=[answer]), address.hub.box()
    address.subscribe(box, annotations=handshake, dead_letters=dead, delivery=FAST)
    sent = event()
    address.put_in(binary(sent))
    assert ids(dead.wait()) == [sent["id"]]
    assert box.received("OPTIONS")
    assert box.received() == []


@rule("WH-33")
def test_the_rate_that_was_granted_is_not_exceeded(address: Address, handshake):
    box = address.hub.box(options=[allowing(rate="120")])  # two a second
    address.subscribe(box, annotations=handshake)
    for _ in range(4):
        address.put_in(binary(event()))
    times = [each.at for each in box.wait(4)]
    assert times[-1] - times[0] >= 1.4


@rule("WH-10")
def test_after_410_nothing_more_is_sent(address: Address, handshake):
    box, dead = address.hub.box(Reply(410), options=[allowing()]), address.hub.box()
    address.subscribe(box, annotations=handshake, dead_letters=dead)
    for number in range(3):
        address.put_in(binary(event()))
        dead.wait(number + 1)
    assert len(box.received()) == 1


@rule("WH-12")
@pytest.mark.parametrize("status", [429])
def test_after_retry_after_no_other_event_is_sent_early(address: Address, handshake, status):
    pause = Reply(status, (("Retry-After", "1"),))
    box = address.hub.box(pause, Reply(202), options=[allowing()])
    address.subscribe(box, annotations=handshake, delivery=FAST)
    address.put_in(binary(event()))
    box.wait()
    box.settled(quiet=0.3)  # by then the sender has read the answer
    address.put_in(binary(event()))
    first, *others = box.wait(3)
    assert all(each.at - first.at >= 1 * CLOCKS for each in others)
