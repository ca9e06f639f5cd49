"""The handshake with web hooks: who may be sent to, and how fast."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.permission import (
    ASK,
    DENIED_SECONDS,
    GRANTED_SECONDS,
    WAIT,
    Handshake,
    Permission,
    Refuse,
    Send,
    State,
)

ORIGIN = "events.example.com"
ANY = ((b"WebHook-Allowed-Origin", b"*"), (b"WebHook-Allowed-Rate", b"*"))


def asked(status=200, fields=ANY, *, handshake=None, now=0.0):
    permission = Permission(handshake or Handshake(ORIGIN))
    assert permission.decide(now) == ASK
    assert permission.decide(now) == WAIT
    permission.answered(status, fields, now)
    return permission


def test_the_request_says_who_asks_and_for_what_rate():
    assert Handshake(ORIGIN).fields() == [(b"webhook-request-origin", ORIGIN.encode())]
    assert (b"webhook-request-rate", b"120") in Handshake(ORIGIN, 120).fields()


@pytest.mark.parametrize("origin", [b"*", ORIGIN.encode(), b"Events.Example.COM", b" * "])
@pytest.mark.parametrize("status", [200, 204, 405, 500])
def test_headers_are_permission_whatever_the_status(origin, status):
    permission = asked(status, ((b"webhook-allowed-origin", origin),))
    assert permission.decide(1.0) == Send(1.0, True)


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ((b"webhook-allowed-origin", b"another.example.com"),),
        ((b"webhook-allowed-rate", b"*"),),
        ((b"webhook-allowed-origin", b"*"), (b"webhook-allowed-rate", b"0")),
        ((b"webhook-allowed-origin", b"*"), (b"webhook-allowed-rate", b"-5")),
        ((b"webhook-allowed-origin", b"*"), (b"webhook-allowed-rate", b"many")),
        ((b"webhook-allowed-origin", b"*"), (b"webhook-allowed-rate", b"1" * 5000)),
    ],
)
def test_anything_else_is_none(fields):
    refused = asked(200, fields).decide(1.0)
    assert isinstance(refused, Refuse) and refused.status == 403


def test_who_is_asked_for_a_rate_has_to_name_one():
    handshake = Handshake(ORIGIN, 60)
    assert isinstance(asked(fields=ANY[:1], handshake=handshake).decide(1.0), Refuse)
    assert asked(handshake=handshake).decide(1.0) == Send(1.0, True)


def test_without_need_of_permission_who_gives_none_is_sent_to_without_an_origin():
    permission = asked(404, (), handshake=Handshake(ORIGIN, required=False))
    assert permission.decide(1.0) == Send(1.0, False)


@pytest.mark.parametrize("status", [0, 500, 503])
def test_a_failure_says_nothing_and_is_asked_again(status):
    permission = asked(status, ())
    assert permission.state is State.UNKNOWN
    assert permission.decide(0.1) == ASK


def test_a_refusal_is_asked_again_after_a_while_and_permission_too():
    denied = asked(404, ())
    assert isinstance(denied.decide(DENIED_SECONDS - 1), Refuse)
    assert denied.decide(DENIED_SECONDS) == ASK
    granted = asked()
    assert isinstance(granted.decide(GRANTED_SECONDS - 1), Send)
    assert granted.decide(GRANTED_SECONDS) == ASK


def test_who_is_gone_is_never_sent_to_again():
    permission = asked()
    permission.delivered(410, 0.0, 1.0)
    for now in (1.0, 1e6):
        refused = permission.decide(now)
        assert isinstance(refused, Refuse) and refused.status == 410


def test_after_429_everything_waits():
    permission = asked()
    permission.delivered(429, 5.0, 10.0)
    assert permission.decide(11.0) == Send(15.0, True)
    assert permission.decide(16.0) == Send(16.0, True)


@given(st.integers(1, 10_000), st.lists(st.floats(0, 5), min_size=1, max_size=50))
def test_the_rate_that_was_granted_is_kept(rate, pauses):
    fields = ANY[0], (b"webhook-allowed-rate", b"%d" % rate)
    permission = asked(fields=fields)
    now, sent = 0.0, []
    for pause in pauses:
        now += pause
        decision = permission.decide(now)
        assert isinstance(decision, Send) and decision.at >= now
        sent.append(decision.at)
    for before, after in itertools.pairwise(sent):
        assert after - before >= 60.0 / rate - 1e-6
