"""Whether somebody who has the secret sent a request: the schemes of the senders. Pure.

Each check takes a request and secrets, of which any may have been used, and raises Refusal. All
comparisons take the same time whatever is compared.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eventing.sources.webhook.received import Received, Refusal, is_one_of, wrong_signature

_MOST_GIVEN = 16
"""Signatures of one request that are looked at: while a secret is changed there are two."""
_MILLISECONDS_FROM = 100_000_000_000
"""A time of sending that is no smaller counts milliseconds: as seconds it is the year 5138."""
_ASYMMETRIC, _SYMMETRIC = b"whpk_", b"whsec_"


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and how far the time of a request may be from it, in seconds."""

    now: float
    tolerance: float

    def check(self, text: str) -> None:
        """Raise Refusal for a time of sending that is too far away, or none at all."""
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise Refusal(400, "the time of sending is no number of seconds")
        sent = int(text)
        sent = sent // 1000 if sent >= _MILLISECONDS_FROM else sent
        if abs(self.now - sent) > self.tolerance:
            raise Refusal(
                401,
                f"the time of sending is {abs(self.now - sent):.0f} s away, more than "
                f"{self.tolerance:.0f} s: an old request, or a clock that is wrong",
            )


Check = Callable[[Received, list[bytes], Moment], None]


def mac(secret: bytes, text: bytes, algorithm: str = "sha256") -> bytes:
    """Return the HMAC of a text."""
    return hmac.digest(secret, text, algorithm)


def check_macs(
    given: Iterable[bytes | None], secrets: list[bytes], text: bytes, algorithm: str = "sha256"
) -> None:
    """Raise Refusal where no secret makes one of the signatures; None stands for no signature."""
    made = [mac(each, text, algorithm) for each in secrets]
    found = False
    for signature in [each for each in given if each is not None][:_MOST_GIVEN]:
        for ours in made:
            found |= hmac.compare_digest(ours, signature)
    if not found:
        raise wrong_signature()


def from_hex(text: str) -> bytes | None:
    """Return what hexadecimal digits stand for, None where there are others."""
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return None


def from_base64(text: str) -> bytes | None:
    """Return what base64 stands for, None where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _after(text: str, prefix: str) -> str:
    if not text.startswith(prefix):
        raise Refusal(401, f"the signature does not begin with {prefix}")
    return text[len(prefix) :]


def hub(header: str) -> Check:
    """Return the check of GitHub and Bitbucket: ``sha256=HEX`` of the body."""

    def check(request: Received, secrets: list[bytes], moment: Moment) -> None:
        given = from_hex(_after(request.header(header), "sha256="))
        check_macs([given], secrets, request.body)

    return check


def slack(request: Received, secrets: list[bytes], moment: Moment) -> None:
    """Slack's version v0: ``v0:TIME:BODY``."""
    given = from_hex(_after(request.header("X-Slack-Signature"), "v0="))
    sent = request.header("X-Slack-Request-Timestamp")
    check_macs([given], secrets, b"v0:%b:%b" % (sent.encode(), request.body))
    moment.check(sent)


def stripe(request: Received, secrets: list[bytes], moment: Moment) -> None:
    """Stripe's: ``t=TIME,v1=HEX``, of which there may be several, over ``TIME.BODY``."""
    pairs = [each.partition("=") for each in request.header("Stripe-Signature").split(",")]
    times = [value for name, _, value in pairs if name.strip() == "t"]
    if len(times) != 1:
        raise Refusal(400, "the header Stripe-Signature has no time")
    given = [from_hex(value.strip()) for name, _, value in pairs if name.strip() == "v1"]
    check_macs(given, secrets, b"%b.%b" % (times[0].encode(), request.body))
    moment.check(times[0])


def standard(request: Received, secrets: list[bytes], moment: Moment) -> None:
    """Standard Webhooks: ``v1,BASE64`` of ``ID.TIME.BODY``; ``v1a`` with a public key."""
    told, sent = request.header("webhook-id"), request.header("webhook-timestamp")
    text = b"%b.%b.%b" % (told.encode(), sent.encode(), request.body)
    pairs = [each.partition(",") for each in request.header("webhook-signature").split(" ")]
    keys = [each[len(_ASYMMETRIC) :] for each in secrets if each.startswith(_ASYMMETRIC)]
    others = [shared_secret(each) for each in secrets if not each.startswith(_ASYMMETRIC)]
    signed = [from_base64(value) for version, _, value in pairs if version == "v1a"]
    if not _is_signed(signed[:_MOST_GIVEN], keys, text):
        given = [from_base64(value) for version, _, value in pairs if version == "v1"]
        check_macs(given, others, text)
    moment.check(sent)


def shared_secret(secret: bytes) -> bytes:
    """``whsec_`` and what follows in base64; without it the text itself, as some senders have."""
    if not secret.startswith(_SYMMETRIC):
        return secret
    found = from_base64(secret[len(_SYMMETRIC) :].decode("latin-1"))
    return secret if found is None else found


def _is_signed(given: list[bytes | None], keys: list[bytes], text: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for key in keys:
        raw = from_base64(key.decode("latin-1"))
        for signature in given:
            if raw is None or len(raw) != 32 or signature is None:
                continue
            try:
                Ed25519PublicKey.from_public_bytes(raw).verify(signature, text)
            except InvalidSignature:
                continue
            return True
    return False


def gitlab(request: Received, secrets: list[bytes], moment: Moment) -> None:
    """A signing token by Standard Webhooks, or the secret token itself in a header."""
    if "webhook-signature" in request.headers:
        standard(request, secrets, moment)
    elif not is_one_of(request.header("X-Gitlab-Token").encode(), secrets):
        raise wrong_signature()


def in_path(request: Received, secrets: list[bytes], moment: Moment) -> None:
    """The secret is the last part of the URL, of senders that cannot sign."""
    if not is_one_of(request.rest.encode(), secrets):
        raise Refusal(401, "the URL does not end in the secret")
