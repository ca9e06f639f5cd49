"""A webhook's request as it came, and why one is refused. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import orjson

from eventing.api.webhooktemplates import HEADER, QUERY, Place, text_at
from eventing.codec.event import is_json

_MOST_FORM_FIELDS = 100
FORM = "application/x-www-form-urlencoded"


class Refusal(Exception):
    """A request that is not taken: the answer's status, and what it says."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def wrong_signature() -> Refusal:
    """Return what is said of a signature, or a secret, that none of ours makes."""
    return Refusal(401, "the signature is wrong: has the sender the same secret?")


@dataclass(frozen=True)
class Received:
    """A request whose body has come."""

    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in lower case."""
    query: Mapping[str, str] = field(default_factory=dict)
    rest: str = ""
    """What follows the WebhookSource in the path: the secret of senders that cannot sign."""

    def header(self, name: str) -> str:
        """Return a header; raise Refusal where there is none."""
        found = self.headers.get(name.lower(), "")
        if not found:
            raise Refusal(400, f"the header {name} is missing")
        return found

    @property
    def media_type(self) -> str:
        """What the body is said to be."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def digest(self) -> str:
        """What tells bodies apart."""
        return hashlib.sha256(self.body).hexdigest()

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The fields of a form; raise Refusal where the body is none."""
        try:
            text = self.body.decode()
            return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FORM_FIELDS))
        except ValueError:
            raise Refusal(400, "the body is no form") from None

    @cached_property
    def json(self) -> Any:
        """The body as JSON; raise Refusal where it is none."""
        try:
            return orjson.loads(self.body)
        except ValueError:
            raise Refusal(400, "the body is no JSON") from None

    def document(self) -> dict[str, Any]:
        """Return the JSON object of the body; raise Refusal."""
        if self.media_type and not is_json(self.media_type):
            raise Refusal(415, f"the body is {self.media_type[:100]}; JSON is expected")
        if not isinstance(self.json, dict):
            raise Refusal(400, "the body is no JSON object")
        return self.json

    def at(self, place: Place) -> str | None:
        """Return what a request has at a place of a template."""
        if place.kind == HEADER:
            return self.headers.get(place.name)
        if place.kind == QUERY:
            return self.query.get(place.name)
        try:
            return text_at(self.json, place.name)
        except Refusal:
            return None


def is_one_of(given: bytes, secrets: list[bytes]) -> bool:
    """Whether something is one of the secrets; it takes as long whichever it is."""
    found = False
    for each in secrets:
        found |= hmac.compare_digest(hashlib.sha256(each).digest(), hashlib.sha256(given).digest())
    return found
