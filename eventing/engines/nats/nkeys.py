"""Keys of NATS (nkeys): who a seed is, and what it signs. Pure.

A key in text is base32 of a prefix, 32 bytes and a checksum; a seed has two bytes of prefix, which
say that it is one and of whom. What they sign is Ed25519.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from binascii import Error, crc_hqx

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

USER = 20 << 3
"""The prefix of a user's public key, which then begins with U."""
_BEGINS = "S"


def text_of(prefix: bytes, raw: bytes) -> str:
    """Return a key as text."""
    body = prefix + raw
    checked = body + crc_hqx(body, 0).to_bytes(2, "little")
    return b32encode(checked).decode().rstrip("=")


class Seed:
    """A private key; raises ValueError for a text that is none."""

    def __init__(self, text: str) -> None:
        try:
            raw = b32decode(text + "=" * (-len(text) % 8))
        except Error as error:
            raise ValueError(f"this is no seed of an nkey: {error}") from error
        body, checksum = raw[:-2], raw[-2:]
        sound = crc_hqx(body, 0).to_bytes(2, "little") == checksum
        if not text.startswith(_BEGINS) or len(body) != 34 or not sound:
            raise ValueError("this is no seed of an nkey")
        self._key = Ed25519PrivateKey.from_private_bytes(body[2:])

    def public(self, prefix: int = USER) -> str:
        """Return who it is."""
        return text_of(bytes([prefix]), self._key.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some bytes."""
        return self._key.sign(data)
