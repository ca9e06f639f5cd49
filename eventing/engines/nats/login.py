"""Who we are at the server: options of nats-py's client for what ``NatsServer`` says."""

from __future__ import annotations

import ssl
from tempfile import NamedTemporaryFile
from typing import Any

from nats.aio.client import RawCredentials

from eventing.engines.nats.config import NatsServer

_JWT = "NATS USER JWT"


def options_of(server: NatsServer) -> dict[str, Any]:
    """Return where the server is, and what is shown to it.

    Users with passwords, and tokens, may stand in its URLs. ``credentials`` may have a key alone.
    """
    options: dict[str, Any] = {
        "servers": list(server.urls),
        "name": "hearth",
        "no_echo": True,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": server.reconnect_seconds,
        "connect_timeout": 2,
        "ping_interval": 10,
        "skip_subject_validation": True,  # ours are made by ``names``
    }
    if server.token:
        options["token"] = server.token
    if _JWT in server.credentials:
        options["user_credentials"] = RawCredentials(server.credentials)
    elif server.credentials:
        options["nkeys_seed_str"] = _seed_of(server.credentials)
    if server.ca or server.certificate or any(url.startswith("tls") for url in server.urls):
        options["tls"] = _tls(server)
    return options


def _seed_of(credentials: str) -> str:
    lines = (line.strip() for line in credentials.splitlines())
    return next((line for line in lines if line and not line.startswith("-")), "")


def _tls(server: NatsServer) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=server.ca or None)
    if server.certificate:
        with NamedTemporaryFile("w", suffix=".pem") as file:  # the module takes files alone
            file.write(f"{server.certificate}\n{server.key}\n")
            file.flush()
            context.load_cert_chain(file.name)
    return context
