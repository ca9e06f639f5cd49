"""Channels to external scalers, with TLS as triggers ask for it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import grpc
from cryptography import x509

from hearth.keda.scalers.params import AUTH, param
from hearth.keda.scalers.tls import client_context
from hearth.timeouts import time_limit

_OPTIONS = [
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5000),
]


@dataclass(frozen=True)
class Settings:
    """Where the server is, and how it is spoken to."""

    address: str = param("scalerAddress")
    enable_tls: bool = param("enableTLS", optional=True)
    unsafe_ssl: bool = param("unsafeSsl", optional=True)
    ca: str = param("caCert", order=(AUTH,), optional=True)
    cert: str = param("tlsClientCert", order=(AUTH,), optional=True)
    key: str = param("tlsClientKey", order=(AUTH,), optional=True)

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.enable_tls or bool(self.ca) or bool(self.cert and self.key)

    def check(self) -> None:
        """Raises ConfigError for texts that are no certificates."""
        client_context(ca=self.ca, cert=self.cert, key=self.key)


async def open_channel(settings: Settings, timeout: float) -> grpc.aio.Channel:
    """Return a channel, which connects at its first use.

    Raises OSError where the certificate of a server that need not be checked cannot be had.
    """
    # That is how long it tries to connect; 20 s by itself, of a channel that was closed as well.
    options = [*_OPTIONS, ("grpc.min_reconnect_backoff_ms", round(timeout * 1000))]
    if not settings.is_encrypted:
        return grpc.aio.insecure_channel(settings.address, options=options)
    roots = settings.ca
    if settings.unsafe_ssl:
        async with time_limit(timeout):
            roots, name = await _shown_by(settings.address)
        options.append(("grpc.ssl_target_name_override", name))
    credentials = grpc.ssl_channel_credentials(
        roots.encode() or None,
        settings.key.encode() if settings.cert else None,
        settings.cert.encode() or None,
    )
    return grpc.aio.secure_channel(settings.address, credentials, options=options)


async def _shown_by(address: str) -> tuple[str, str]:
    """The certificate that a server shows, and a name in it.

    gRPC has no way to check no certificate: so it is told to trust this one.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    _, writer = await asyncio.open_connection(
        host.strip("[]"), int(port), ssl=client_context(unsafe=True)
    )
    try:
        connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
        encoded = connection.getpeercert(binary_form=True) or b""
    finally:
        writer.close()
    names = x509.load_der_x509_certificate(encoded).extensions
    try:
        known = names.get_extension_for_class(x509.SubjectAlternativeName).value
        name = str(next(iter(known)).value)
    except (x509.ExtensionNotFound, StopIteration):
        name = host
    return ssl.DER_cert_to_PEM_cert(encoded), name
