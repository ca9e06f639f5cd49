"""Header blocks of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, section 2.6.10). Pure.

All blocks of one direction are one zlib stream, which begins with a dictionary of its own.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

MOST_OCTETS = 64 * 1024
"""Of one block, unpacked."""
MOST_FIELDS = 64
_SEPARATOR = "\0"

_NAMES = """
options head post put delete trace accept accept-charset accept-encoding accept-language
accept-ranges age allow authorization cache-control connection content-base content-encoding
content-language content-length content-location content-md5 content-range content-type date etag
expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since
last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer
retry-after server te trailer transfer-encoding upgrade user-agent vary via warning
www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin
"""
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00"
    " Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _text(words: str) -> bytes:
    return b"".join(
        struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in words.split()
    )


DICTIONARY = _text(_NAMES) + _REST.encode()


class HeaderError(Exception):
    """A block that is none, or too large."""


class Unpacker:
    """Reads the blocks of one direction, in their order and none left out."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> dict[str, str]:
        """The fields by their names; of several values of a field the first."""
        try:
            plain = self._stream.decompress(block, MOST_OCTETS + 1)
        except zlib.error as error:
            raise HeaderError(f"zlib: {error}") from None
        if len(plain) > MOST_OCTETS or self._stream.unconsumed_tail or self._stream.unused_data:
            raise HeaderError("the header block is too long")
        try:
            return _fields(plain)
        except (struct.error, UnicodeDecodeError):
            raise HeaderError("the header block is cut off") from None


def _fields(plain: bytes) -> dict[str, str]:
    (count,) = struct.unpack_from(">I", plain)
    if count > MOST_FIELDS:
        raise HeaderError("too many header fields")
    fields: dict[str, str] = {}
    at = 4
    for _ in range(count):
        name, at = _string(plain, at)
        value, at = _string(plain, at)
        if name.lower() in fields:
            raise HeaderError(f"the header field {name!r} is there twice")
        fields[name.lower()] = value.partition(_SEPARATOR)[0]
    if at != len(plain):
        raise HeaderError("there is more in the header block than its fields")
    return fields


def _string(plain: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", plain, at)
    end = at + 4 + length
    if end > len(plain):
        raise HeaderError("the header block is cut off")
    return plain[at + 4 : end].decode(), end


class Packer:
    """Writes the blocks of one direction."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(zdict=DICTIONARY)

    def write(self, fields: Mapping[str, str]) -> bytes:
        """The block of some fields."""
        plain = struct.pack(">I", len(fields))
        for name, value in fields.items():
            for text in (name.encode(), value.encode()):
                plain += struct.pack(">I", len(text)) + text
        return self._stream.compress(plain) + self._stream.flush(zlib.Z_SYNC_FLUSH)
