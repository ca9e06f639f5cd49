"""The ``continue`` token of paged lists: where the next page starts, and at which revision. Pure.

The form is Kubernetes' own (base64url of a small JSON object), and so are the complaints.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from hearth.cluster.model import status
from hearth.kube import gojson

_VERSION = "meta.k8s.io/v1"
INCONSISTENT = -1
"""The revision of a token that continues at the newest state, after the old one was compacted."""


def encode(start: str, revision: int) -> str:
    """A token: list on from the first key after ``start``."""
    body = orjson.dumps({"v": _VERSION, "rv": revision, "start": start + "\0"})
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def decode(token: str) -> tuple[str, int]:
    """The last key already listed, and the revision; 400 for anything but a token."""
    fields = _fields(token)
    if fields.get("v") != _VERSION:
        shown = fields.get("v") or ""
        raise _refused(f'server does not recognize this encoded version "{shown}"')
    revision, start = fields.get("rv"), fields.get("start")
    if not isinstance(revision, int) or revision == 0:
        problem = f"incorrect encoded start resourceVersion (version {_VERSION})"
        raise _refused(problem)
    if not isinstance(start, str) or not start:
        raise _refused(f"encoded start key empty (version {_VERSION})")
    return start.removesuffix("\0"), revision


def _fields(token: str) -> dict[str, Any]:
    raw = _raw(token)
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _refused(gojson.syntax_error(raw) or "not JSON") from None
    if not isinstance(fields, dict):
        raise _refused("json: cannot unmarshal value into Go value of type storage.continueToken")
    return fields


_ALPHABET = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def _raw(token: str) -> bytes:
    data = token.encode()
    for index, byte in enumerate(data):
        if byte not in _ALPHABET:
            raise _refused(f"illegal base64 data at input byte {index}")
    try:
        return base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        raise _refused(f"illegal base64 data at input byte {len(data)}") from None


def _refused(problem: str) -> status.ApiStatus:
    return status.bad_request(f"invalid continue token: continue key is not valid: {problem}")
