"""HPACK, the reading side (RFC 7541): octets of field blocks in, fields out. Pure.

A connection's requests look much alike, so after the first few a block is a handful of indexes, and
the very same one as before. Such a block, which changes no table, is kept with what was made of it.
"""

from __future__ import annotations

from activator.http.fields import Field
from activator.http.h2.huffman import BadCode, decode
from activator.http.h2.tables import DEFAULT_TABLE_OCTETS, FIRST_DYNAMIC, STATIC, size_of

_KEPT_BLOCKS, _KEPT_OCTETS = 64, 256
_MOST_INTEGER = 2**28
# Fields that are read on, for the table's sake, when a list has become too long.
_HARD_FACTOR = 4


class BadBlock(Exception):
    """The octets are no field block: the connection's table is lost."""


class TooMuch(Exception):
    """A field list is so long that reading it to its end is not worth it."""


class Block:
    """A field block, read; ``made`` is what its receiver has made of it."""

    __slots__ = ("fields", "is_too_large", "made")

    def __init__(self, fields: list[Field], is_too_large: bool) -> None:
        self.fields = fields
        self.is_too_large = is_too_large
        self.made: object = None


class Decoder:
    """One direction's table and the blocks read with it."""

    __slots__ = ("_at", "_blocks", "_data", "_dynamic", "_limit", "_most", "_octets", "_size")

    def __init__(self, limit: int, most: int = DEFAULT_TABLE_OCTETS) -> None:
        """``limit`` bounds a field list, ``most`` is the table's size as we have announced it."""
        self._limit = limit
        self._most = most
        # The newest entry is the last.
        self._dynamic: list[Field] = []
        self._size = most
        self._octets = 0
        self._blocks: dict[bytes, Block] = {}
        self._data = b""
        self._at = 0

    def decode(self, data: bytes) -> Block:
        """Read a whole block. Raises BadBlock or TooMuch; neither can be gone on from."""
        found = self._blocks.get(data)
        if found is not None:
            return found
        try:
            return self._read(data)
        except IndexError:
            raise BadBlock(
                "the block ends within a field, or names an entry there is none of"
            ) from None
        except BadCode as error:
            raise BadBlock(str(error)) from None

    def _read(self, data: bytes) -> Block:
        self._data, self._at = data, 0
        fields: list[Field] = []
        total, end, is_pure, may_resize = 0, len(data), True, True
        limit = self._limit
        while self._at < end:
            first = data[self._at]
            if first & 0x80:
                field = self._entry(self._integer(0x7F))
            elif first & 0x40:
                field = self._literal(0x3F)
                self._insert(field)
                is_pure = False
            elif first & 0x20:
                if not may_resize:
                    raise BadBlock("a change of the table's size within a block")
                self._resize(self._integer(0x1F))
                is_pure = False
                continue
            else:
                field = self._literal(0x0F)
            may_resize = False
            total += size_of(field)
            if total <= limit:
                fields.append(field)
            elif total > limit * _HARD_FACTOR:
                raise TooMuch
        block = Block(fields, total > limit)
        if is_pure and end <= _KEPT_OCTETS:
            if len(self._blocks) >= _KEPT_BLOCKS:
                self._blocks.clear()
            self._blocks[data] = block
        return block

    # -- the representations ------------------------------------------------------------------

    def _entry(self, index: int) -> Field:
        if index < FIRST_DYNAMIC:
            if not index:
                raise BadBlock("index 0")
            return STATIC[index]
        # Beyond the oldest entry this is an IndexError.
        return self._dynamic[FIRST_DYNAMIC - 1 - index]

    def _literal(self, mask: int) -> Field:
        index = self._integer(mask)
        name = self._entry(index)[0] if index else self._string()
        return name, self._string()

    def _integer(self, mask: int) -> int:
        """An integer whose first bits are those of the mask (section 5.1)."""
        value = self._data[self._at] & mask
        self._at += 1
        if value < mask:
            return value
        shift = 0
        while True:
            octet = self._data[self._at]
            self._at += 1
            value += (octet & 0x7F) << shift
            if not octet & 0x80:
                return value
            shift += 7
            if value > _MOST_INTEGER or shift > 28:
                raise BadBlock("an integer is too large")

    def _string(self) -> bytes:
        is_packed = self._data[self._at] & 0x80
        size = self._integer(0x7F)
        start = self._at
        self._at = stop = start + size
        if stop > len(self._data):
            raise BadBlock("a string goes beyond the block")
        return decode(self._data[start:stop]) if is_packed else self._data[start:stop]

    # -- the table ----------------------------------------------------------------------------

    def _insert(self, field: Field) -> None:
        size = size_of(field)
        self._shrink(self._size - size)
        if size <= self._size:
            self._dynamic.append(field)
            self._octets += size
        self._blocks.clear()

    def _resize(self, size: int) -> None:
        if size > self._most:
            raise BadBlock("a table larger than allowed")
        self._size = size
        self._shrink(size)
        self._blocks.clear()

    def _shrink(self, room: int) -> None:
        """Take out the oldest entries until those left fit."""
        gone, octets = 0, self._octets
        while octets > max(room, 0):
            octets -= size_of(self._dynamic[gone])
            gone += 1
        if gone:
            del self._dynamic[:gone]
            self._octets = octets
