"""Certificates: those of admission webhooks, and authorities that vouch for names. No I/O.

Those of webhooks are kept as the data of a Secret, under the names that Knative has for them;
``renewed`` says what has to change, and that is one thing at a time: a new authority is added to
the bundle long before anything is signed by it, so that API servers trust whatever any replica
shows.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITIES = "ca-cert.pem"
"""The authorities that are trusted, the one that signs first."""
AUTHORITY_KEY = "ca-key.pem"
CERTIFICATE = "server-cert.pem"
KEY = "server-key.pem"

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with what vouches for it behind it, and its private key; both in PEM."""

    chain: bytes
    key: bytes = field(repr=False)


_DAY = datetime.timedelta(days=1)
_SKEW = datetime.timedelta(hours=1)
_AUTHORITY_VALID, _AUTHORITY_SPARE = 3650 * _DAY, 365 * _DAY
_SERVER_VALID, _SERVER_SPARE = 90 * _DAY, 30 * _DAY


def renewed(files: Files, names: Sequence[str], now: datetime.datetime) -> dict[str, bytes] | None:
    """Return the files as they should be; None where they are good as they are.

    What cannot be read, or is for other names, is made anew; so is all of it where nothing is.
    """
    try:
        authorities = x509.load_pem_x509_certificates(files[AUTHORITIES])
        authority_key = _load_key(files[AUTHORITY_KEY])
        if authorities[0].public_key() != authority_key.public_key():
            raise ValueError("the key is not the authority's")
    except (KeyError, ValueError):
        return _all_new(names, now)
    trusted = [each for each in authorities if each.not_valid_after_utc > now]
    if not trusted:
        return _all_new(names, now)
    if trusted[0].not_valid_after_utc - now < _AUTHORITY_SPARE:
        key, authority = _make_authority(now)
        return {**files, AUTHORITIES: _pem(authority, *trusted), AUTHORITY_KEY: _key_pem(key)}
    if _is_good(files, names, now):
        return None
    signed = _signed(trusted[0], authority_key, names, now)
    return {**files, AUTHORITIES: _pem(*trusted), **signed}


def new_authority(title: str, domains: Sequence[str], now: datetime.datetime) -> Pair:
    """Make an authority that is believed about these domains, names below them and this machine.

    Whoever trusts it trusts it in nothing else (RFC 5280, section 4.2.1.10), stolen or not.
    """
    local = [x509.IPAddress(ipaddress.ip_network(net)) for net in ("127.0.0.0/8", "::1/128")]
    names = [x509.DNSName(domain) for domain in domains]
    constraints = x509.NameConstraints([*names, *local], excluded_subtrees=None)
    key, authority = _make_authority(now, title, constraints)
    return Pair(_pem(authority), _key_pem(key))


def authority_holds(authority: Pair, now: datetime.datetime) -> bool:
    """Whether an authority can be read and goes on for longer than what it signs now."""
    try:
        certificate = x509.load_pem_x509_certificate(authority.chain)
        key = _load_key(authority.key)
    except ValueError:
        return False
    spare = certificate.not_valid_after_utc - now
    return certificate.public_key() == key.public_key() and spare > _SERVER_VALID


def issued(authority: Pair, names: Sequence[str], now: datetime.datetime) -> Pair:
    """Make a certificate for these names, good for 90 days."""
    certificate, key = (
        x509.load_pem_x509_certificate(authority.chain),
        _load_key(authority.key),
    )
    files = _signed(certificate, key, names, now, title="hearth")
    return Pair(files[CERTIFICATE], files[KEY])


def good_until(
    pair: Pair, names: Sequence[str], authority: bytes, now: datetime.datetime
) -> datetime.datetime | None:
    """Return until when a pair is good for these names; None where it is to be made anew.

    That is 30 days before its end, and when another authority than ``authority`` has signed it.
    """
    if not _is_good({CERTIFICATE: pair.chain, KEY: pair.key}, names, now):
        return None
    certificate = x509.load_pem_x509_certificate(pair.chain)
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except (ValueError, TypeError, InvalidSignature):
        return None
    return certificate.not_valid_after_utc


def _all_new(names: Sequence[str], now: datetime.datetime) -> dict[str, bytes]:
    key, authority = _make_authority(now)
    return {
        AUTHORITIES: _pem(authority),
        AUTHORITY_KEY: _key_pem(key),
        **_signed(authority, key, names, now),
    }


def _is_good(files: Files, names: Sequence[str], now: datetime.datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(files[CERTIFICATE])
        key = _load_key(files[KEY])
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (KeyError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        certificate.public_key() == key.public_key()
        and {str(name.value) for name in alternatives.value} >= set(names)
        and certificate.not_valid_after_utc - now >= _SERVER_SPARE
    )


def _make_authority(
    now: datetime.datetime,
    title: str = "hearth webhooks",
    constraints: x509.NameConstraints | None = None,
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own: OpenSSL looks issuers up by their names.
    name = _name(f"{title} {x509.random_serial_number():x}"[:40])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    built = (
        _builder(name, name, key, now, _AUTHORITY_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    if constraints is not None:
        built = built.add_extension(constraints, critical=True)
    return key, built.sign(key, hashes.SHA256())


def _signed(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    now: datetime.datetime,
    *,
    title: str = "hearth webhooks",
) -> dict[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
    serves = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        _builder(_name(title), authority.subject, key, now, _SERVER_VALID)
        .add_extension(alternatives, critical=False)
        .add_extension(serves, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return {CERTIFICATE: _pem(certificate), KEY: _key_pem(key)}


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    valid: datetime.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + valid)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic curve key")
    return key


def _pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
