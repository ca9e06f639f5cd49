"""HPACK, the writing side (RFC 7541): fields in, octets of a field block out. Pure.

A field goes into the table when it comes for the second time, so what is different in each message
(ids, lengths) does not push out what is in all of them. Nothing is packed with the Huffman code: it
would cost more time than the octets are worth, and fields that return are an index anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from activator.http.fields import Field
from activator.http.h2.tables import DEFAULT_TABLE_OCTETS, FIRST_DYNAMIC, STATIC, size_of

# Not to be kept by anybody on the way, nor guessed at by what others send (section 7.1.3).
_SECRET = frozenset((b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"))
_SEEN = 256
_KEPT = 64
# Larger fields would push out too many others.
_LARGEST_SHARE = 4

_STATIC_FIELDS: dict[Field, bytes] = {
    field: bytes((0x80 | index,)) for index, field in enumerate(STATIC) if index
}
_STATIC_NAMES: dict[bytes, int] = {
    field[0]: index for index, field in reversed(list(enumerate(STATIC))) if index
}


def integer(value: int, mask: int, pattern: int = 0) -> bytes:
    """An integer behind the bits of a pattern (section 5.1)."""
    if value < mask:
        return bytes((pattern | value,))
    made = bytearray((pattern | mask,))
    value -= mask
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _string(text: bytes) -> bytes:
    size = len(text)
    return bytes((size,)) + text if size < 0x7F else integer(size, 0x7F) + text


class Encoder:
    """One direction's table."""

    __slots__ = (
        "_announced",
        "_dynamic",
        "_inserted",
        "_kept",
        "_literals",
        "_octets",
        "_seen",
        "_size",
        "_where",
    )

    def __init__(self) -> None:
        # Fields in the table, oldest first, with the number that each was put in as.
        self._dynamic: list[Field] = []
        self._where: dict[Field, int] = {}
        self._inserted = 0
        self._octets = 0
        self._size = DEFAULT_TABLE_OCTETS
        # Sizes to be told before the next block.
        self._announced: list[int] = []
        self._seen: dict[Field, None] = {}
        # Fields written out that are an index the next time, or the time after that.
        self._literals = 0
        # Blocks that stay as they are while the table does.
        self._kept: dict[int, tuple[object, object, bytes]] = {}

    def resize(self, most: int) -> None:
        """The peer keeps a table of so many octets at most; we use no more than the default."""
        size = min(most, DEFAULT_TABLE_OCTETS)
        if size != self._size:
            self._size = size
            self._shrink(size)
            # Section 4.2: the smallest size since the last block, then the present one.
            self._announced = [min([size, *self._announced]), size]
            self._kept.clear()

    def encode_again(
        self, source: object, more: object, make: Callable[[], Iterable[Field]]
    ) -> bytes:
        """A block of the fields that ``make`` gives, which may be known from another time.

        They follow from ``source``, an object that is not changed any more, and from ``more``.
        """
        found = self._kept.get(id(source))
        if found is not None and found[0] is source and found[1] == more:
            return found[2]
        before = self._literals
        block = self.encode(make())
        if before == self._literals:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[id(source)] = (source, more, block)
        return block

    def encode(self, fields: Iterable[Field]) -> bytes:
        """A block of these fields, whose names are in lower case."""
        static, where, top = _STATIC_FIELDS, self._where, self._inserted
        out: list[bytes] = []
        if self._announced:
            self._literals += 1
            out.extend(integer(size, 0x1F, 0x20) for size in sorted(set(self._announced)))
            self._announced = []
        for field in fields:
            known = static.get(field)
            if known is not None:
                out.append(known)
                continue
            number = where.get(field)
            if number is None:
                out.append(self._literal(field))
                top = self._inserted
                continue
            # The newest entry is the first behind the static ones.
            index = top - number + FIRST_DYNAMIC - 1
            out.append(_INDEXED[index] if index < 0x7F else integer(index, 0x7F, 0x80))
        return b"".join(out)

    def _literal(self, field: Field) -> bytes:
        name, value = field
        if name in _SECRET:
            return self._named(name, 0x0F, 0x10) + _string(value)
        seen = self._seen
        self._literals += 1
        if field not in seen:
            if len(seen) >= _SEEN:
                seen.clear()
            seen[field] = None
            return self._named(name, 0x0F, 0x00) + _string(value)
        size = size_of(field)
        if size > self._size // _LARGEST_SHARE:
            return self._named(name, 0x0F, 0x00) + _string(value)
        made = self._named(name, 0x3F, 0x40) + _string(value)
        self._kept.clear()
        self._shrink(self._size - size)
        self._dynamic.append(field)
        self._octets += size
        self._where[field] = self._inserted
        self._inserted += 1
        return made

    def _named(self, name: bytes, mask: int, pattern: int) -> bytes:
        index = _STATIC_NAMES.get(name, 0)
        made = integer(index, mask, pattern)
        return made if index else made + _string(name)

    def _shrink(self, room: int) -> None:
        gone, octets = 0, self._octets
        while octets > max(room, 0):
            field = self._dynamic[gone]
            octets -= size_of(field)
            del self._where[field]
            gone += 1
        if gone:
            del self._dynamic[:gone]
            self._octets = octets


_INDEXED = [bytes((0x80 | index,)) for index in range(0x7F)]
