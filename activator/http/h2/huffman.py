"""The Huffman code of HPACK (RFC 7541, appendix B), read only: we send nothing packed. Pure.

The code is canonical, so the lengths tell all of it. Octets are followed through the tree, eight
bits at a time; each step is worked out when it is needed for the first time.
"""

from __future__ import annotations

from functools import lru_cache

# Symbols by the length of their code; the last one is the end of string.
_BY_LENGTH: dict[int, bytes] = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\x00$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
    21: b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
    22: b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4"
    b"\xc6\xe4\xe8\xe9",
    23: b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4"
    b"\xb6\xb7\xbc\xbf\xc5\xe7\xef",
    24: b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
    25: b"\xc7\xcf\xea\xeb",
    26: b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
    27: b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    28: b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b"
    b"\x1c\x1d\x1e\x1f\x7f\xdc\xf9",
    30: b"\n\r\x16",
}
_LONGEST = 30
# Steps kept, some 200 octets each: ordinary strings need hundreds, only hostile ones more.
_MOST_STEPS = 8192
_CACHED, _CACHED_OCTETS = 2048, 128

_ROOT = (0, 0)
_State = tuple[int, int]
"""A place in the tree: the bits that led there, and how many."""


def codes() -> dict[_State, int]:
    """Every code of a symbol, as (bits, how many)."""
    made: dict[_State, int] = {}
    code = length = 0
    for size, symbols in _BY_LENGTH.items():
        code <<= size - length
        length = size
        for symbol in symbols:
            made[(code, size)] = symbol
            code += 1
    return made


_CODES = codes()
_steps: dict[tuple[_State, int], tuple[bytes, _State]] = {}


class BadCode(Exception):
    """The octets are no string in this code."""


def decode(data: bytes) -> bytes:
    """The string that was packed. Raises BadCode."""
    if len(data) <= _CACHED_OCTETS:
        return _decode_cached(data)
    return _decode(data)


def _decode(data: bytes) -> bytes:
    parts: list[bytes] = []
    state = _ROOT
    for octet in data:
        found = _steps.get((state, octet))
        if found is None:
            found = _step(state, octet)
        out, state = found
        if out:
            parts.append(out)
    bits, count = state
    # RFC 7541, section 5.2: padding is the beginning of the code of end-of-string, under 8 bits.
    if count > 7 or bits != (1 << count) - 1:
        raise BadCode("the padding is wrong")
    return b"".join(parts)


_decode_cached = lru_cache(_CACHED)(_decode)


def _step(state: _State, octet: int) -> tuple[bytes, _State]:
    """Eight bits further."""
    out = bytearray()
    bits, count = state
    for shift in range(7, -1, -1):
        bits, count = bits << 1 | (octet >> shift & 1), count + 1
        symbol = _CODES.get((bits, count))
        if symbol is not None:
            out.append(symbol)
            bits, count = _ROOT
        elif count >= _LONGEST:
            raise BadCode("the end of string stands within it")
    made = (bytes(out), (bits, count))
    if len(_steps) < _MOST_STEPS:
        _steps[(state, octet)] = made
    return made
