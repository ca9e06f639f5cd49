"""How one API server is reached: address, trust, and who we are there.

Made by ``hearth.kube.kubeconfig``. What renews itself (a mounted token, a plugin) is an
``Authorization``, which the client asks before each request.
"""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hearth.kube.clock import Clock

_REREAD_SECONDS = 60.0
"""How old a token may be that a file holds: as client-go has it. Kubelets renew well ahead."""


Certificate = tuple[bytes, bytes]
"""Certificate and key, as PEM."""


class Authorization(Protocol):
    """Who we are, where that is not said once and for all."""

    certificate: Certificate | None
    """The client certificate to show from now on; None where there is none that is renewed."""

    async def header(self, *, rejected: str | None = None) -> str | None:
        """Return the value of the header ``Authorization``; a new one for one that was refused."""
        ...


class TokenFile(Authorization):
    """A token in a file that somebody else renews, as the kubelet does for a service account."""

    def __init__(self, path: Path, *, clock: Clock = time.monotonic) -> None:
        self.certificate = None
        self._path = path
        self._clock = clock
        self._header: str | None = None
        self._read_at = 0.0

    async def header(self, *, rejected: str | None = None) -> str | None:
        """Return what the file holds, or held within the last minute."""
        now = self._clock()
        is_old = now - self._read_at >= _REREAD_SECONDS
        if self._header is None or is_old or self._header == rejected:
            self._header, self._read_at = f"Bearer {self._path.read_text().strip()}", now
        return self._header


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server: what a kubeconfig's current context says."""

    server: str
    token: str | None = None
    ca_pem: str | None = None
    client_certificate: Certificate | None = None
    verify: bool = True
    server_name: str | None = None
    """What the server's certificate is for, where that is not the server's address."""
    proxy: str | None = None
    socket: Path | None = None
    """Where the server listens without TLS, for processes of its own machine."""
    authorization: Authorization | None = None

    def ssl_context(self) -> ssl.SSLContext | bool:
        """Return what the server is verified by; True is the system's way."""
        if not self.server.startswith("https"):
            return True
        context = ssl.create_default_context(cadata=self.ca_pem)
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if self.client_certificate is not None:
            load_chain(context, *self.client_certificate)
        return context


def load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Have connections from now on show this certificate."""
    # The ssl module reads keys from files only; this one is in memory, and never on a disk.
    with os.fdopen(os.memfd_create("certificate"), "wb") as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        # A key with a password is refused: OpenSSL would ask for it at the terminal, and wait.
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=_no_password)


def _no_password() -> bytes:
    return b"none"
