"""Signatures of senders: the examples of their documentation, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from eventing.sources.webhook import signatures
from eventing.sources.webhook.received import Received, Refusal
from eventing.sources.webhook.rules import SENDERS
from eventing.sources.webhook.senders import generic
from eventing.sources.webhook.signatures import Check, Moment
from eventing.sources.webhook.signing import SIGNERS, delivery_of, example, headers_of

NOW = 1_700_000_000.0
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmib"
    b"IGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
EVERYBODY = b"It's a Secret to Everybody"
DOCUMENTED: Mapping[str, tuple[Check, bytes, bytes, dict[str, str], float]] = {
    "github": (
        signatures.hub("X-Hub-Signature-256"),
        EVERYBODY,
        b"Hello, World!",
        {
            "x-hub-signature-256": "sha256="
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        },
        NOW,
    ),
    "bitbucket": (
        signatures.hub("X-Hub-Signature"),
        EVERYBODY,
        b"Hello World!",
        {
            "x-hub-signature": "sha256="
            "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
        },
        NOW,
    ),
    "slack": (
        signatures.slack,
        b"8f742231b10e8888abcd99yyyzzz85a5",
        SLACK_BODY,
        {
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0="
            "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        1531420618.0,
    ),
    "standard": (
        signatures.standard,
        b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        b'{"test": 2432232314}',
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        1614265330.0,
    ),
}


def refused(check: Check, request: Received, secrets: list[bytes], now: float = NOW) -> int:
    with pytest.raises(Refusal) as caught:
        check(request, secrets, Moment(now, 300.0))
    return caught.value.status


@pytest.mark.parametrize("sender", DOCUMENTED)
def test_the_example_of_the_documentation_is_right(sender: str) -> None:
    check, secret, body, headers, now = DOCUMENTED[sender]
    request = Received(body, headers)
    check(request, [secret], Moment(now, 300.0))
    check(request, [b"the next one", secret], Moment(now, 300.0))
    assert refused(check, request, [b"another"], now) == 401
    assert refused(check, Received(body + b" ", headers), [secret], now) == 401
    assert refused(check, Received(body), [secret], now) == 400


@pytest.mark.parametrize("sender", ["slack", "standard"])
@pytest.mark.parametrize("away", [-301.0, 301.0])
def test_an_old_time_is_refused(sender: str, away: float) -> None:
    check, secret, body, headers, now = DOCUMENTED[sender]
    assert refused(check, Received(body, headers), [secret], now + away) == 401


@pytest.mark.parametrize("sender", sorted(set(SIGNERS) - {"dockerhub"}))
def test_what_we_sign_is_right(sender: str) -> None:
    body = b'{"a": 1}'
    made = headers_of(sender, b"secret", "push", body, now=NOW, told="1")
    request = Received(body, {name.lower(): value for name, value in made.items()})
    SENDERS[sender].check(request, [b"secret"], Moment(NOW, 300.0))
    assert refused(SENDERS[sender].check, request, [b"Secret"]) == 401


def stripe(*parts: str) -> Received:
    return Received(b"{}", {"stripe-signature": ",".join(parts)})


def test_stripe_while_a_secret_is_rolled() -> None:
    signed = [hmac.new(key, b"1700000000.{}", "sha256").hexdigest() for key in (b"old", b"new")]
    request = stripe("t=1700000000", *(f"v1={each}" for each in signed), "v0=no")
    for secret in (b"old", b"new"):
        signatures.stripe(request, [secret], Moment(NOW, 300.0))
    assert refused(signatures.stripe, request, [b"old"], NOW + 301) == 401
    assert refused(signatures.stripe, stripe("t=1700000000", f"v0={signed[0]}"), [b"old"]) == 401
    assert refused(signatures.stripe, stripe("t=1", "t=2", f"v1={signed[0]}"), [b"old"]) == 400
    assert refused(signatures.stripe, stripe(f"v1={signed[0]}"), [b"old"]) == 400


def test_standard_webhooks_with_a_public_key() -> None:
    key = Ed25519PrivateKey.generate()
    public = b"whpk_" + base64.b64encode(key.public_key().public_bytes_raw())
    signed = base64.b64encode(key.sign(b"1.1700000000.{}")).decode()
    headers = {"webhook-id": "1", "webhook-timestamp": "1700000000"}
    request = Received(b"{}", {**headers, "webhook-signature": f"v1,bad v1a,{signed}"})
    signatures.standard(request, [b"other", public], Moment(NOW, 300.0))
    other = Received(b"[]", {**headers, "webhook-signature": f"v1a,{signed}"})
    assert refused(signatures.standard, other, [public]) == 401


def test_gitlab_knows_tokens_and_signatures() -> None:
    token = Received(b"{}", {"x-gitlab-token": "secret"})
    signatures.gitlab(token, [b"old", b"secret"], Moment(NOW, 300.0))
    assert refused(signatures.gitlab, token, [b"other"]) == 401
    made = headers_of("standard", b"whsec_c2VjcmV0", "", b"{}", now=NOW, told="1")
    signed = Received(b"{}", {name.lower(): value for name, value in made.items()})
    signatures.gitlab(signed, [b"whsec_c2VjcmV0"], Moment(NOW, 300.0))
    assert refused(signatures.gitlab, signed, [b"secret!"]) == 401


@pytest.mark.parametrize(
    ("signature", "value"),
    [
        (
            {"algorithm": "sha1", "prefix": "sha1="},
            "sha1=" + hmac.new(b"k", b"b", "sha1").hexdigest(),
        ),
        (
            {"encoding": "base64", "algorithm": "sha512"},
            base64.b64encode(hmac.digest(b"k", b"b", "sha512")).decode(),
        ),
        (
            {"signed": "v0:{timestamp}:{body}", "timestampHeader": "T"},
            hmac.new(b"k", b"v0:1700000000:b", hashlib.sha256).hexdigest(),
        ),
        (
            {"signed": "{header:X-Host}{id}{body}", "idHeader": "I"},
            hmac.new(b"k", b"hereoneb", hashlib.sha256).hexdigest(),
        ),
    ],
)
def test_any_hmac(signature: dict[str, str], value: str) -> None:
    sender = generic.sender({"signature": {"header": "S", **signature}})
    headers = {"s": value, "t": "1700000000", "x-host": "here", "i": "one"}
    sender.check(Received(b"b", headers), [b"k"], Moment(NOW, 300.0))
    assert refused(sender.check, Received(b"c", headers), [b"k"]) == 401
    assert refused(sender.check, Received(b"b", {**headers, "s": "?" + value}), [b"k"]) == 401


def test_a_token_or_the_url_instead_of_a_signature() -> None:
    now = Moment(NOW, 300.0)
    header = generic.sender({"token": {"header": "Authorization"}})
    header.check(Received(headers={"authorization": "Bearer s"}), [b"s"], now)
    header.check(Received(headers={"authorization": "s"}), [b"s"], now)
    assert refused(header.check, Received(headers={"authorization": "t"}), [b"s"]) == 401
    query = generic.sender({"token": {"query": "key"}})
    query.check(Received(query={"key": "s"}), [b"s"], now)
    assert refused(query.check, Received(), [b"s"]) == 401
    url = generic.sender({})
    url.check(Received(rest="s"), [b"s"], now)
    assert refused(url.check, Received(rest="s/t"), [b"s"]) == 401


def test_times_in_milliseconds_and_what_is_no_time() -> None:
    Moment(NOW, 300.0).check("1700000000123")
    for text in ("", "-1", "soon", "9" * 20, "1e9"):
        with pytest.raises(Refusal):
            Moment(NOW, 300.0).check(text)


@given(st.sampled_from(sorted(SENDERS)), st.dictionaries(st.text(), st.text()), st.binary())
def test_nothing_is_let_in_without_the_secret(
    sender: str, headers: dict[str, str], body: bytes
) -> None:
    names = ("x-hub-signature", "x-hub-signature-256", "x-slack-signature", "stripe-signature")
    told = {name: value for name, value in zip(names, headers.values(), strict=False)}
    standard = {
        f"webhook-{n}": v for n, v in zip(("id", "timestamp", "signature"), headers, strict=False)
    }
    request = Received(body, {**headers, **told, **standard, "x-gitlab-token": "?"}, rest="?")
    with pytest.raises(Refusal):
        SENDERS[sender].check(request, [b"a secret that nobody has"], Moment(NOW, 300.0))


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"token": {"query": "k y"}},
        {"token": {"header": "X-Token"}},
        {"signature": {"header": "S", "encoding": "base64", "algorithm": "sha512"}},
        {
            "signature": {
                "header": "S",
                "prefix": "v1=",
                "signed": "{id}.{timestamp}.{body}",
                "timestampHeader": "T",
                "idHeader": "I",
            },
            "token": {"header": "X-Token"},
        },
    ],
)
def test_a_delivery_of_any_sender_is_made_as_it_is_checked(spec: dict[str, Any]) -> None:
    made = delivery_of({**spec, "sender": "http"}, b"a/s", "", b"{}", now=NOW, told="1")
    url = urlsplit(f"http://h/ns/w{made.url_end}")
    headers = {name.lower(): value for name, value in made.headers.items()}
    rest = unquote(url.path.removeprefix("/ns/w").removeprefix("/"))
    request = Received(b"{}", headers, dict(parse_qsl(url.query)), rest)
    generic.sender(spec).check(request, [b"a/s"], Moment(NOW, 300.0))
    assert refused(generic.sender(spec).check, request, [b"b"]) == 401


@pytest.mark.parametrize("sender", sorted(SIGNERS))
@pytest.mark.parametrize("event", ["", "/deploy"])
def test_the_examples_make_events(sender: str, event: str) -> None:
    body = example(sender, event, "told")
    made = delivery_of({"sender": sender}, b"s", event, body, now=NOW, told="told")
    headers = {name.lower(): value for name, value in made.headers.items()}
    request = Received(body, headers, rest=made.url_end.removeprefix("/"))
    SENDERS[sender].check(request, [b"s"], Moment(NOW, 300.0))
    assert SENDERS[sender].made(request, "/s").type
