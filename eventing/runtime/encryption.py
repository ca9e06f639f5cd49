"""Addresses with https: a listener with a certificate of its own, from when they are asked for.

The authority and what it vouches for are kept beside the logs, so that a restart changes nothing,
and are renewed in time. A ConfigMap tells where the listener is and whom to trust; the addresses in
statuses are made of it.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eventing.api import keys
from eventing.runtime.files import write_durably
from eventing.runtime.settings import Flags
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.controllerspec import Source
from hearth.kube.errors import ApiError
from hearth.kube.guards import keep_running
from hearth.kube.manager import Manager
from hearth.kube.resources import CONFIGMAPS

log = logging.getLogger(__name__)

_LOOK_SECONDS = 3600.0
_AGAIN_SECONDS = 5.0

Listen = Callable[[ssl.SSLContext], Awaitable[int]]
"""Opens the listener, and returns its port."""


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Where TLS is served, and by which names."""

    port: int = 0
    """To listen on; 0 takes a free one."""
    names: Sequence[str] = ("127.0.0.1", "localhost")
    """What the certificate is for; addresses have the first one."""
    shown_port: int | None = None
    """The port that addresses have, where something leads from it to ours."""


class Encryption:
    """``configure`` begins it when a flag asks for it; it goes on until the process ends."""

    def __init__(
        self, config: TlsConfig, folder: Path, manager: Manager, *, clock: Clock = wall_clock
    ) -> None:
        self.is_strict = False
        """Whether events that are not encrypted are refused."""
        self._config = config
        self._folder = folder
        self._manager = manager
        self._clock = clock
        self._listen: Listen | None = None
        self._wanted = self._runs = False
        self._files: dict[str, bytes] = {}
        self.authorities = ""
        """Who vouches for what is encrypted here (PEM); nothing as long as nothing is."""
        self._port = 0

    def configure(self, flags: Flags) -> None:
        """Go by settings from now on."""
        self.is_strict = flags.encryption == keys.STRICT
        self._wanted = flags.encryption in (keys.STRICT, keys.PERMISSIVE)
        self._begin()

    def serve(self, listen: Listen) -> None:
        """Listen by ``listen``, once it is wanted."""
        self._listen = listen
        self._begin()

    def _begin(self) -> None:
        if self._wanted and not self._runs and self._listen is not None:
            self._runs = True
            running = keep_running("broker-tls", self._run)
            self._manager.spawn("broker-tls", running)

    async def _run(self) -> None:
        # Whom nobody asked for TLS need not have the 9 MB of cryptography.
        from hearth.kube.certificates import (
            AUTHORITIES,
            AUTHORITY_KEY,
            CERTIFICATE,
            KEY,
            renewed,
        )

        assert self._listen is not None
        names = (AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, KEY)
        files = await asyncio.to_thread(self._load, names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        while True:
            now = datetime.datetime.fromtimestamp(self._clock(), tz=datetime.UTC)
            while (changed := renewed(files, self._config.names, now)) is not None:
                files = changed
                await asyncio.to_thread(self._store, files)
            self._files, self.authorities = files, files[AUTHORITIES].decode()
            context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY)
            if not self._port:
                self._port = await self._listen(context)
            told = await self._publish(files[AUTHORITIES].decode())
            await asyncio.sleep(_LOOK_SECONDS if told else _AGAIN_SECONDS)

    def vouch(self, names: Sequence[str]) -> tuple[bytes, bytes] | None:
        """Return a certificate for these names, and its key (PEM); None where that is not yet."""
        from hearth.kube.certificates import AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, KEY, renewed

        if not self._files:
            return None
        now = datetime.datetime.fromtimestamp(self._clock(), tz=datetime.UTC)
        authority = {name: self._files[name] for name in (AUTHORITIES, AUTHORITY_KEY)}
        made = renewed(authority, names, now) or {}
        # Without one the authority itself is due, which is renewed within the hour.
        return (made[CERTIFICATE], made[KEY]) if CERTIFICATE in made else None

    def _load(self, names: Sequence[str]) -> dict[str, bytes]:
        found = {each: self._folder / each for each in names}
        return {name: path.read_bytes() for name, path in found.items() if path.exists()}

    def _store(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            write_durably(self._folder / name, content)

    async def _publish(self, authorities: str) -> bool:
        """Tell where we are and whom to trust; return whether that is told."""
        port = self._config.shown_port or self._port
        host = self._config.names[0]
        shown = host if port == 443 else f"{host}:{port}"
        data = {"url": f"https://{shown}", "ca.crt": authorities}
        where, title = keys.SYSTEM_NAMESPACE, keys.TLS_CONFIG_MAP
        found = self._manager.cache(Source(CONFIGMAPS, namespace=where)).get(where, title)
        if found is not None and (found.get("data") or {}) == data:
            return True
        try:
            await self._manager.client.patch(CONFIGMAPS, title, where, {"data": data})
        except ApiError as error:
            log.warning("where TLS is served cannot be told", extra=error.facts)
            return False
        return True
