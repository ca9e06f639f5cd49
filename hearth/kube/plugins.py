"""Kubeconfigs whose credentials are fetched: exec plugins, OIDC, passwords, several files in one.

The official ``kubernetes`` client knows all of these; it loads them and renews what expires, the
requests are made by our own client. It is an extra, and imported when the first such kubeconfig is
read.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

from cryptography import x509

from hearth.kube.access import Access, Authorization, Certificate
from hearth.kube.clock import Clock, wall_clock

log = logging.getLogger(__name__)

_ASK_SECONDS = 60.0
"""How long a header is used before the plugin is asked anew, which has five minutes in hand."""
_RENEW_SECONDS = 300.0
"""How long before its end a certificate is fetched anew."""
_MISSING = (
    "{path} fetches its credentials (by a program, OIDC or a password), which takes the official "
    "client: pip install 'hearth-serving[cluster]'"
)
_NOTHING = (
    "{path} gave no credentials: its plugin failed (see the line before), or the login has "
    "expired. Try `kubectl --kubeconfig {path} auth whoami`"
)


def access_by_plugins(
    path: Path, *, clock: Clock = time.monotonic, wall: Clock = wall_clock
) -> Access:
    """Return what the current context says; raise ValueError where nothing comes of it."""
    plugin = Plugin(path, clock=clock, wall=wall)
    loaded = plugin.load()
    return Access(
        server=loaded.host.rstrip("/"),
        ca_pem=Path(loaded.ssl_ca_cert).read_text() if loaded.ssl_ca_cert else None,
        client_certificate=plugin.certificate,
        verify=bool(loaded.verify_ssl),
        server_name=loaded.tls_server_name,
        proxy=loaded.proxy,
        authorization=plugin,
    )


class Plugin(Authorization):
    """What the official client says who we are; it may run a program to know."""

    def __init__(self, path: Path, *, clock: Clock, wall: Clock) -> None:
        self.certificate: Certificate | None = None
        self._path = path
        self._clock = clock
        self._wall = wall
        self._loaded: Any = None
        self._header: str | None = None
        self._asked_at = 0.0
        self._lock = asyncio.Lock()

    def load(self) -> Any:
        """Read the kubeconfig, and keep and return the official client's configuration."""
        try:
            from kubernetes.client import Configuration
            from kubernetes.config import ConfigException, load_kube_config
        except ImportError as error:
            raise ValueError(_MISSING.format(path=self._path)) from error
        loaded = Configuration()
        try:
            load_kube_config(  # type: ignore[no-untyped-call]
                config_file=str(self._path), client_configuration=loaded
            )
        except ConfigException as error:
            raise ValueError(f"{self._path}: {error}") from error
        if not loaded.api_key and not loaded.cert_file:
            raise ValueError(_NOTHING.format(path=self._path))
        if loaded.cert_file and loaded.key_file:
            self.certificate = _read(loaded.cert_file), _read(loaded.key_file)
        self._loaded = loaded
        return loaded

    async def header(self, *, rejected: str | None = None) -> str | None:
        """Return what the plugin says; it is asked in a thread, and again after a refusal."""
        async with self._lock:
            now = self._clock()
            is_refused = rejected is not None and rejected == self._header
            if self._asked_at == 0.0 or is_refused or now - self._asked_at >= _ASK_SECONDS:
                self._header = await asyncio.to_thread(self._ask, is_refused=is_refused)
                self._asked_at = now
            return self._header

    def _ask(self, *, is_refused: bool) -> str | None:
        if is_refused or self._is_ending():
            try:
                self.load()
            except ValueError as error:  # the refusal is what the caller is told
                log.warning("credentials not renewed", extra={"error": str(error)})
        header: str | None = self._loaded.get_api_key_with_prefix("BearerToken")
        return header

    def _is_ending(self) -> bool:
        if self.certificate is None:
            return False
        end = x509.load_pem_x509_certificate(self.certificate[0]).not_valid_after_utc
        return end.timestamp() - self._wall() < _RENEW_SECONDS


def _read(path: str) -> bytes:
    return Path(path).read_bytes()
