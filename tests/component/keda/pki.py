"""An authority, and certificates of servers and clients, for tests of scalers that speak TLS."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hearth.kube.clock import wall_clock

_NOW = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key as PEM texts."""

    cert: str
    key: str

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Put both into files of a folder."""
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        for path, text in zip(paths, (self.cert, self.key), strict=True):
            path.write_text(text)
        return paths


class Authority:
    """Signs for servers and clients alike."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests of scalers")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made = self._builder(self._name, self._key.public_key())
        signed = made.add_extension(constraints, critical=True).sign(self._key, hashes.SHA256())
        self.cert = signed.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, host: str, *, password: str = "") -> Certificate:
        """A certificate for a name or address; its key is encrypted where there is a password."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        names = x509.SubjectAlternativeName([name])
        made = self._builder(subject, key.public_key()).add_extension(names, critical=False)
        signed = made.sign(self._key, hashes.SHA256())
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        form = serialization.PrivateFormat.PKCS8
        text = key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()
        return Certificate(signed.public_bytes(serialization.Encoding.PEM).decode(), text)

    def server_context(self, folder: Path, host: str, *, ask: bool = False) -> ssl.SSLContext:
        """What a server shows; with ``ask`` its clients have to show something too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(host).write(folder, "server"))
        if ask:
            context.load_verify_locations(cadata=self.cert)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_NOW - _DAY)
            .not_valid_after(_NOW + _DAY)
        )
