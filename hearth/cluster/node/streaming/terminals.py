"""Sizes of a client's terminal, as its resize stream tells them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hearth.cluster.node.runtime.api import Size

_LONGEST = 4096
_DECODER = json.JSONDecoder()


class SizeError(Exception):
    """Not the size of a terminal."""


class Sizes:
    """Reads ``{"Width": 80, "Height": 24}``, one after the other, however they are cut."""

    def __init__(self) -> None:
        self._rest = ""

    def receive(self, data: bytes) -> Iterator[Size]:
        """The sizes that are complete by now."""
        self._rest = (self._rest + data.decode(errors="replace")).lstrip()
        while self._rest:
            try:
                value, end = _DECODER.raw_decode(self._rest)
            except json.JSONDecodeError:
                if len(self._rest) > _LONGEST:
                    raise SizeError("a size is too long") from None
                return
            except RecursionError:
                raise SizeError("a size is an object") from None
            self._rest = self._rest[end:].lstrip()
            yield _size(value)


def _size(value: object) -> Size:
    if not isinstance(value, dict):
        raise SizeError("a size is an object")
    numbers = [value.get("Width"), value.get("Height")]
    if not all(isinstance(each, int) and 0 <= each <= 0xFFFF for each in numbers):
        raise SizeError("a size has Width and Height of 16 bits")
    return Size(columns=value["Width"], rows=value["Height"])
