"""From certificates and keys to what OpenSSL shows. The only module that hands it private keys."""

from __future__ import annotations

import ssl

from activator.tls.certificates import InvalidCertificate
from hearth.kube.access import load_chain

# Forward secrecy and authenticated encryption: of TLS 1.2 what RFC 9113 leaves to HTTP/2 (appendix
# A). TLS 1.3 has nothing else.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_PROTOCOLS = ["h2", "http/1.1"]


def server_context() -> ssl.SSLContext:
    """Settings of a listener, without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    # A client that offers neither is served HTTP/1.1, as by Envoy.
    context.set_alpn_protocols(_PROTOCOLS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # One ticket for the client's next connection; each costs a message of every handshake.
    context.num_tickets = 1
    return context


def certified_context(chain: bytes, key: bytes) -> ssl.SSLContext:
    """The same with a certificate (its chain behind it) and its key, in PEM.

    Raises InvalidCertificate.
    """
    for name, text, mark in (("tls.crt", chain, b"CERTIFICATE"), ("tls.key", key, b"PRIVATE KEY")):
        if b"-----BEGIN " not in text or mark + b"-----" not in text:
            raise InvalidCertificate(f"{name} holds no {mark.decode().lower()} in PEM")
    if b"ENCRYPTED" in key:
        raise InvalidCertificate("tls.key is encrypted")
    context = server_context()
    try:
        load_chain(context, chain, key)
    except ssl.SSLError as error:
        raise InvalidCertificate(_reason(error)) from None
    except (OSError, ValueError) as error:
        raise InvalidCertificate(f"cannot be read: {type(error).__name__}") from None
    return context


_MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


def _reason(error: ssl.SSLError) -> str:
    """What is wrong, in words that hold nothing of the key."""
    reason = error.reason or "unreadable"
    if reason in _MISMATCHES:
        return "tls.key is not the key of the certificate in tls.crt"
    return f"OpenSSL refuses it ({reason.replace('_', ' ').lower()})"
