"""JSON that is kept. Pure."""

from __future__ import annotations

import orjson


def kept_json(value: object) -> bytes:
    """JSON that takes no more memory than it is long.

    What orjson returns keeps the buffer it was written to, up to eight times its length.
    """
    return bytes(memoryview(orjson.dumps(value)))
