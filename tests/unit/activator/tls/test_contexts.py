from __future__ import annotations

import datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from activator.tls.certificates import InvalidCertificate
from activator.tls.contexts import certified_context
from hearth.kube.certificates import issued, new_authority

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
AUTHORITY = new_authority("test", ["test"], NOW)
PAIR = issued(AUTHORITY, ["a.test"], NOW)


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes = b"") -> bytes:
    algorithm: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        algorithm = serialization.BestAvailableEncryption(password)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, algorithm
    )


OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("chain", "key", "text"),
    [
        (b"nonsense", PAIR.key, "tls.crt holds no certificate in PEM"),
        (PAIR.chain, b"nonsense", "tls.key holds no private key in PEM"),
        (b"", b"", "tls.crt holds no certificate"),
        (PAIR.key, PAIR.chain, "tls.crt holds no certificate"),
        (PAIR.chain, pem(OTHER), "not the key of the certificate"),
        (PAIR.chain, pem(rsa.generate_private_key(65537, 2048)), "not the key of the certificate"),
        (PAIR.chain, pem(OTHER, b"secret"), "is encrypted"),
        (PAIR.chain[:200], PAIR.key, ""),
        (PAIR.chain, PAIR.key[:60] + b"x" * 40 + PAIR.key[100:], ""),
        (b"\x00\xff" * 1000, b"\x00" * 10, ""),
    ],
)
def test_what_openssl_refuses_is_said_without_the_key(chain: bytes, key: bytes, text: str) -> None:
    with pytest.raises(InvalidCertificate) as caught:
        certified_context(chain, key)
    assert text in str(caught.value)
    assert "PRIVATE" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_certificate_with_its_chain() -> None:
    context = certified_context(PAIR.chain + AUTHORITY.chain, PAIR.key)
    assert context.minimum_version.name == "TLSv1_2"
    assert {cipher["protocol"] for cipher in context.get_ciphers()} == {"TLSv1.2", "TLSv1.3"}
