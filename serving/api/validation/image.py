"""Image references, by the rules of the registry library that Knative uses."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_TAG = re.compile(r"[A-Za-z0-9_.-]{1,128}\Z")
_REPOSITORY = re.compile(r"[a-z0-9_./-]{2,255}\Z")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}\Z")


def is_reference(image: str) -> bool:
    """Whether this names an image by tag or digest; both may be left out."""
    return _is_tagged(image) or _is_digested(image)


def _is_tagged(image: str) -> bool:
    base, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        return _is_repository(image)
    return (not tag or bool(_TAG.match(tag))) and _is_repository(base)


def _is_digested(image: str) -> bool:
    base, _, digest = image.partition("@")
    return bool(_DIGEST.match(digest)) and (_is_tagged(base) or _is_repository(base))


def _is_repository(name: str) -> bool:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first):
        return bool(_REPOSITORY.match(rest)) and _is_registry(first)
    return bool(_REPOSITORY.match(name))


def _is_registry(name: str) -> bool:
    try:
        parts = urlsplit(f"//{name}")
        return parts.netloc == name and "@" not in name and parts.port != 0
    except ValueError:
        return False
