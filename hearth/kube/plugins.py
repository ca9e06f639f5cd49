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

from hearth.kube.access import Access, Authorization
from hearth.kube.clock import Clock

log = logging.getLogger(__name__)

_ASK_SECONDS = 60.0
"""How long a header is used before the plugin is asked anew, which has five minutes in hand."""
_MISSING = (
    "{path} fetches its credentials (by a program, OIDC or a password), which takes the official "
    "client: pip install 'hearth-serving[cluster]'"
)
_NOTHING = (
    "{path} gave no credentials: its plugin failed (see the line before), or the login has "
    "expired. Try `kubectl --kubeconfig {path} auth whoami`"
)


def access_by_plugins(path: Path, *, clock: Clock = time.monotonic) -> Access:
    """Return what the current context says; raise ValueError where nothing comes of it."""
    plugin = Plugin(path, clock=clock)
    loaded = plugin.load()
    return Access(
        server=loaded.host.rstrip("/"),
        ca_pem=Path(loaded.ssl_ca_cert).read_text() if loaded.ssl_ca_cert else None,
        client_certificate=(
            (Path(loaded.cert_file).read_bytes(), Path(loaded.key_file).read_bytes())
            if loaded.cert_file and loaded.key_file
            else None
        ),
        verify=bool(loaded.verify_ssl),
        server_name=loaded.tls_server_name,
        proxy=loaded.proxy,
        authorization=plugin,
    )


class Plugin(Authorization):
    """What the official client says who we are; it may run a program to know."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
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
        if is_refused:
            try:
                self.load()
            except ValueError as error:  # the refusal is what the caller is told
                log.warning("credentials not renewed", extra={"error": str(error)})
        header: str | None = self._loaded.get_api_key_with_prefix("BearerToken")
        return header
