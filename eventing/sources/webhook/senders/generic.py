"""Any sender, by what the WebhookSource says: an HMAC, a token, or the secret in the URL. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from eventing.api import webhooktemplates as templates
from eventing.api.webhooksource import SIGNED_WORDS
from eventing.api.webhooktemplates import Place, Template
from eventing.sources.webhook.made import Made
from eventing.sources.webhook.received import Received, is_one_of, wrong_signature
from eventing.sources.webhook.senders.seam import Sender, no_proof
from eventing.sources.webhook.senders.standard import OCTETS, TYPE
from eventing.sources.webhook.signatures import (
    Check,
    Moment,
    check_macs,
    from_base64,
    from_hex,
    in_path,
)

_BODY = Place(templates.WORD, "body")


def sender(spec: Mapping[str, Any]) -> Sender:
    """Return the sender that a WebhookSource describes; raise ValueError."""
    signature, token = spec.get("signature") or {}, spec.get("token")
    told, when = signature.get("idHeader") or "", signature.get("timestampHeader") or ""
    checks = [_signed(signature)] if signature else []
    checks += [_token(token)] if token else []

    def check(request: Received, secrets: list[bytes], moment: Moment) -> None:
        for each in checks or [in_path]:
            each(request, secrets, moment)

    def proof(request: Received) -> str:
        return f"{request.digest} {request.headers.get(when.lower(), '')}"

    made = partial(_made, told or "Idempotency-Key")
    return Sender(check, made, proof=proof if signature and not told else no_proof)


def _made(told: str, request: Received, source: str) -> Made:
    """The event of a request: the same one has the same id."""
    return Made(
        id=request.headers.get(told.lower()) or request.digest[:32],
        type=TYPE,
        source=source,
        data=request.body,
        content_type=request.headers.get("content-type") or OCTETS,
    )


def _signed(signature: Mapping[str, Any]) -> Check:
    header, prefix = signature["header"], signature.get("prefix") or ""
    algorithm = signature.get("algorithm") or "sha256"
    decoded = from_base64 if signature.get("encoding") == "base64" else from_hex
    when, template = signature.get("timestampHeader"), template_of(signature)

    def check(request: Received, secrets: list[bytes], moment: Moment) -> None:
        given = request.header(header)
        value = decoded(given[len(prefix) :]) if given.startswith(prefix) else None
        check_macs([value], secrets, signed_text(signature, template, request), algorithm)
        if when:
            moment.check(request.header(when))

    return check


def template_of(signature: Mapping[str, Any]) -> Template:
    """Return what is signed, as a template; raise ValueError."""
    return templates.parse(signature.get("signed") or "{body}", SIGNED_WORDS)


def signed_text(signature: Mapping[str, Any], template: Template, request: Received) -> bytes:
    """Return what is signed of a request; raise Refusal where it lacks a part."""
    headers = {"timestamp": signature.get("timestampHeader"), "id": signature.get("idHeader")}
    return b"".join(_part(each, request, headers) for each in template)


def _part(piece: str | Place, request: Received, headers: Mapping[str, str | None]) -> bytes:
    if isinstance(piece, str):
        return piece.encode()
    if piece == _BODY:
        return request.body
    header = headers.get(piece.name) if piece.kind == templates.WORD else None
    return (request.header(header) if header else request.at(piece) or "").encode()


def _token(token: Mapping[str, Any]) -> Check:
    header, query = token.get("header"), token.get("query")

    def check(request: Received, secrets: list[bytes], moment: Moment) -> None:
        given = request.header(header) if header else request.query.get(query or "", "")
        if not is_one_of(given.removeprefix("Bearer ").encode(), secrets):
            raise wrong_signature()

    return check
