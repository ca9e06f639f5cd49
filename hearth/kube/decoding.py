"""JSON of an API server, decoded with the collector in mind. Pure but for that."""

from __future__ import annotations

import gc
from typing import Any

import orjson

LARGE_OCTETS = 256 * 1024
"""Some dozens of objects: a list, not a single one."""


def decoded(payload: bytes) -> Any:
    """Decode; raises orjson.JSONDecodeError.

    A large list is made at one go, and none of it is garbage before it is whole: the collector,
    which would look at all of it, and at all there is besides, every time it has grown by a
    quarter, pauses meanwhile.
    """
    if len(payload) < LARGE_OCTETS or not gc.isenabled():
        return orjson.loads(payload)
    gc.disable()
    try:
        return orjson.loads(payload)
    finally:
        gc.enable()
