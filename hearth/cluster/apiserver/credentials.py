"""The server's secrets on disk: authority, certificate, tokens, signing key, kubeconfig.

Called by the supervisor before the processes start, and by tests. Everything is made once and
kept; files are the owner's alone. The server certificate is renewed when it nears its end.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hearth.cluster.model.clusterips import API_ADDRESS
from hearth.kube.clock import wall_clock
from hearth.kube.kubeconfig import SOCKET_EXTENSION

COMPONENTS = ("controllers", "node", "control", "activator", "broker", "keda", "reader")
"""The processes beside the API server; each has a token of its own."""

_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 365
_RENEW_DAYS = 30
_LONGEST_SOCKET_PATH = 107
"""sockaddr_un of Linux has 108 bytes, with a zero at the end (unix(7))."""
_SERVER = ("hearth-apiserver", ExtendedKeyUsageOID.SERVER_AUTH)
_FRONT_PROXY = ("front-proxy-client", ExtendedKeyUsageOID.CLIENT_AUTH)
_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
_ADDRESSES = ("127.0.0.1", "::1", API_ADDRESS)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where everything is, and the tokens themselves."""

    ca_cert_path: Path
    server_cert_path: Path
    server_key_path: Path
    signing_key_path: Path
    kubeconfig_path: Path
    socket_path: Path | None
    front_proxy_ca_path: Path
    front_proxy_cert_path: Path
    front_proxy_key_path: Path
    admin_token: str
    component_tokens: dict[str, str]


def ensure_credentials(data_dir: Path, host: str, port: int) -> Credentials:
    """Makes what is missing in ``data_dir/pki``; writes the kubeconfig for this address."""
    pki = data_dir / "pki"
    pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
    authority = _ensure_authority(pki, "ca", "hearth-ca", now)
    _ensure_server(pki, authority, host=host, now=now)
    # Of its own, as Kubernetes has it: who has a certificate of it may name any user.
    front_proxy = _ensure_authority(pki, "front-proxy-ca", "hearth-front-proxy-ca", now)
    _ensure_certificate(pki, "front-proxy-client", _FRONT_PROXY, front_proxy, now=now)
    _ensure_key(pki / "sa.key")
    tokens = {name: _ensure_token(pki / f"{name}.token") for name in ("admin", *COMPONENTS)}
    admin = tokens.pop("admin")
    kubeconfig = data_dir / "kubeconfig"
    socket = _ensure_socket_folder(data_dir)
    _write_kubeconfig(
        kubeconfig, pki / "ca.crt", token=admin, server=server_url(host, port), socket=socket
    )
    credentials = Credentials(
        ca_cert_path=pki / "ca.crt",
        server_cert_path=pki / "server.crt",
        server_key_path=pki / "server.key",
        signing_key_path=pki / "sa.key",
        kubeconfig_path=kubeconfig,
        socket_path=socket,
        front_proxy_ca_path=pki / "front-proxy-ca.crt",
        front_proxy_cert_path=pki / "front-proxy-client.crt",
        front_proxy_key_path=pki / "front-proxy-client.key",
        admin_token=admin,
        component_tokens=tokens,
    )
    component_kubeconfig(credentials, "control", kubeconfig_of(data_dir, "control"))
    return credentials


def server_url(host: str, port: int) -> str:
    """The URL for clients on this machine; a wildcard address is reached through loopback."""
    reachable = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"https://[{reachable}]:{port}" if ":" in reachable else f"https://{reachable}:{port}"


def component_token(data_dir: Path, component: str) -> str:
    """The token of a component, which ``ensure_credentials`` has made."""
    return (data_dir / "pki" / f"{component}.token").read_text().strip()


def kubeconfig_of(data_dir: Path, component: str) -> Path:
    """Where the kubeconfig is by which a component is somebody of its own."""
    return data_dir / "pki" / f"{component}.kubeconfig"


def component_kubeconfig(credentials: Credentials, component: str, path: Path) -> Path:
    """Writes a kubeconfig with a component's own token."""
    current = yaml.safe_load(credentials.kubeconfig_path.read_text())
    server = current["clusters"][0]["cluster"]["server"]
    token = credentials.component_tokens[component]
    _write_kubeconfig(
        path,
        credentials.ca_cert_path,
        token=token,
        server=server,
        socket=credentials.socket_path,
    )
    return path


def write_private(path: Path, content: bytes) -> None:
    """A file only its owner can read, there as a whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _ensure_socket_folder(data_dir: Path) -> Path | None:
    """Makes the socket's folder, its owner's alone; None where its path would be too long."""
    path = (data_dir / "run" / "api.sock").absolute()
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        return None
    path.parent.mkdir(mode=0o700, exist_ok=True)
    return path


def _ensure_token(path: Path) -> str:
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text().strip()


def _ensure_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(path, _pem(key))
        return key
    return load_key(path)


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Reads a private key; ValueError for one of another type."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} holds no elliptic curve key")
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@dataclass(frozen=True, slots=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _ensure_authority(pki: Path, stem: str, name: str, now: datetime.datetime) -> _Authority:
    key = _ensure_key(pki / f"{stem}.key")
    path = pki / f"{stem}.crt"
    if not path.exists():
        certificate = (
            _builder(_name(name), _name(name), now, days=_AUTHORITY_DAYS)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        write_private(path, certificate.public_bytes(serialization.Encoding.PEM))
    return _Authority(key, x509.load_pem_x509_certificate(path.read_bytes()))


def _builder(
    subject: x509.Name, issuer: x509.Name, now: datetime.datetime, *, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _ensure_server(pki: Path, authority: _Authority, *, host: str, now: datetime.datetime) -> None:
    alternatives = _alternatives(host)
    _ensure_certificate(pki, "server", _SERVER, authority, now=now, alternatives=alternatives)


def _ensure_certificate(
    pki: Path,
    stem: str,
    purpose: tuple[str, x509.ObjectIdentifier],
    authority: _Authority,
    *,
    now: datetime.datetime,
    alternatives: Sequence[x509.GeneralName] = (),
) -> None:
    """Makes a key and a certificate for a common name and a usage, or a new one near its end."""
    key = _ensure_key(pki / f"{stem}.key")
    path = pki / f"{stem}.crt"
    if path.exists() and _is_good(path, alternatives, now):
        return
    name, usage = purpose
    issuer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    builder = (
        _builder(_name(name), authority.certificate.subject, now, days=_SERVER_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer.value), False
        )
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    write_private(path, certificate.public_bytes(serialization.Encoding.PEM))


def _alternatives(host: str) -> list[x509.GeneralName]:
    addresses, hosts = set(_ADDRESSES), set(_NAMES)
    try:
        ipaddress.ip_address(host)
        addresses.add(host)
    except ValueError:
        hosts.add(host or "localhost")
    return [
        *(x509.DNSName(name) for name in sorted(hosts)),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in sorted(addresses)),
    ]


def _is_good(path: Path, alternatives: Sequence[x509.GeneralName], now: datetime.datetime) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if alternatives:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if list(names) != list(alternatives):
            return False
    left = certificate.not_valid_after_utc - now
    return left > datetime.timedelta(days=_RENEW_DAYS)


def _write_kubeconfig(
    path: Path, ca: Path, *, token: str, server: str, socket: Path | None
) -> None:
    authority = base64.b64encode(ca.read_bytes()).decode()
    cluster: dict[str, Any] = {"server": server, "certificate-authority-data": authority}
    if socket is not None:
        extension = {"path": str(socket), "server": server}
        cluster["extensions"] = [{"name": SOCKET_EXTENSION, "extension": extension}]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "hearth", "cluster": cluster}],
        "users": [{"name": "hearth", "user": {"token": token}}],
        "contexts": [{"name": "hearth", "context": {"cluster": "hearth", "user": "hearth"}}],
        "current-context": "hearth",
        "preferences": {},
    }
    content = yaml.safe_dump(config, sort_keys=False).encode()
    if not path.exists() or path.read_bytes() != content:
        write_private(path, content)
