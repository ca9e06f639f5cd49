"""TLS of scalers' clients: from PEM texts of a trigger's authentication to a context.

As KEDA's ``pkg/util/tls_config.go``: a client certificate counts with its key, authorities come on
top of the system's, TLS 1.2 is the least.
"""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
from collections.abc import Iterator

from hearth.keda.scalers.seam import ConfigError


def client_context(
    *, ca: str = "", cert: str = "", key: str = "", key_password: str = "", unsafe: bool = False
) -> ssl.SSLContext:
    """Return a client's context. Raises ConfigError for texts that are no certificates."""
    if not (ca or cert or key):
        return _plain(unsafe)
    context = _fresh(unsafe)
    if ca:
        try:
            context.load_verify_locations(cadata=ca)
        except (ssl.SSLError, ValueError, TypeError) as error:
            raise ConfigError("error appending CA certs") from error
    if cert and key:
        _show(context, cert, key, key_password)
    return context


@functools.cache
def _plain(unsafe: bool) -> ssl.SSLContext:
    """One context for all that ask for nothing: the system's authorities take 10 ms to read."""
    return _fresh(unsafe)


def _fresh(unsafe: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if unsafe:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def secret_file(text: str) -> Iterator[str]:
    """Give a text a path for as long as it is needed: a file in memory, that no other user sees."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _show(context: ssl.SSLContext, cert: str, key: str, key_password: str) -> None:
    """Give the context a client's certificate, which Python takes from a file only."""
    try:
        with secret_file(f"{cert}\n{key}\n") as path:
            # Without a password Python would ask on the terminal for that of an encrypted key.
            context.load_cert_chain(path, password=lambda: key_password)
    except (ssl.SSLError, ValueError) as error:
        what = "error decrypt X509Key" if key_password else "error parse X509KeyPair"
        raise ConfigError(f"{what}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return getattr(error, "reason", "") or "the texts are no certificate and key that fit"
