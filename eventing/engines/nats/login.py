"""Who we are at the server: options of nats-py's client for what ``NatsServer`` says.

That package would sign with another one; what is needed of it is in ``nkeys``.
"""

from __future__ import annotations

import base64
import ssl
from tempfile import NamedTemporaryFile
from typing import Any

from eventing.engines.nats.config import NatsServer
from eventing.engines.nats.nkeys import Seed

_JWT, _SEED = "NATS USER JWT", "USER NKEY SEED"


def options_of(server: NatsServer) -> dict[str, Any]:
    """Return where the server is, and what is shown to it; raise ValueError for no credentials.

    Users with passwords, and tokens, may stand in its URLs.
    """
    options: dict[str, Any] = {
        "servers": list(server.urls),
        "name": "hearth",
        "no_echo": True,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": server.reconnect_seconds,
        "connect_timeout": 2,
        "skip_subject_validation": True,  # ours are made by ``names``
    }
    if server.token:
        options["token"] = server.token
    if server.credentials:
        options |= _signed(server.credentials)
    if server.ca or server.certificate or any(url.startswith("tls") for url in server.urls):
        options["tls"] = _tls(server)
    return options


def user_of(server: NatsServer) -> str:
    """Return the nkey that we are known by, where credentials have no JWT that says so."""
    text = server.credentials
    return Seed(_part(text, _SEED)).public() if text and not _part(text, _JWT) else ""


def _signed(credentials: str) -> dict[str, Any]:
    """A file of credentials has a JWT and the seed that it is for; or a seed alone."""
    jwt, seed = _part(credentials, _JWT), Seed(_part(credentials, _SEED))
    options: dict[str, Any] = {
        "signature_cb": lambda nonce: base64.b64encode(seed.sign(nonce.encode()))
    }
    if jwt:
        options["user_jwt_cb"] = lambda: bytearray(jwt.encode())
    return options


def _part(credentials: str, title: str) -> str:
    """Return the line below a title; without any title, a seed is all there is."""
    lines = [line.strip() for line in credentials.splitlines() if line.strip()]
    for number, line in enumerate(lines[:-1]):
        if f"BEGIN {title}" in line:
            return lines[number + 1]
    return lines[0] if title == _SEED and len(lines) == 1 else ""


def _tls(server: NatsServer) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=server.ca or None)
    if server.certificate:
        with NamedTemporaryFile("w", suffix=".pem") as file:  # the module takes files alone
            file.write(f"{server.certificate}\n{server.key}\n")
            file.flush()
            context.load_cert_chain(file.name)
    return context
