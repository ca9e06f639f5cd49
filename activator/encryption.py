"""TLS at the gateway, from the first KIngress that asks for a certificate.

Before that no Secret is watched and no TLS listened for: an activator that serves none needs no
right to Secrets. From then on certificates follow their Secrets; handshakes go by those of the
moment, and connections that are there go on.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from activator.http.server import Door
from activator.http.timers import Timers
from activator.tls.certificates import SECRET_TYPE, Certificates, Problem, trimmed
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.errors import Forbidden
from hearth.kube.meta import Key, Object, key
from hearth.kube.resources import SECRETS
from hearth.timeouts import time_limit

if TYPE_CHECKING:
    from activator.tls.terminator import Terminator

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 2.0
_FIRST_LIST_SECONDS = 10.0

Listen = Callable[[Door], Awaitable[None]]
"""Opens the listeners, each connection of which goes through the door."""


class Encryption:
    """``run`` serves TLS from when it is wanted, until cancelled."""

    def __init__(
        self, client: KubeClient, timers: Timers, changed: Callable[[Iterable[Key]], None]
    ) -> None:
        """``changed`` is told of KIngresses whose certificates are others now, or are there now."""
        self._timers = timers
        self._changed = changed
        self._secrets = WatchCache(
            client, SECRETS, field_selector=f"type={SECRET_TYPE}", keep=trimmed
        )
        self._secrets.on_change(self._secret_changed)
        self.certificates: Certificates[ssl.SSLContext] = Certificates(
            self._secrets.get, _certified
        )
        self.terminator: Terminator | None = None
        self._wanted = asyncio.Event()
        self._serves = asyncio.Event()

    # -- what is asked for --------------------------------------------------------------------

    def want(self) -> None:
        """Serve TLS though nobody has asked yet: who is early is told so, and not refused."""
        self._wanted.set()

    def put(self, ingress: Object) -> set[Key]:
        """Take over what a KIngress asks for; returns all whose certificates this concerns."""
        concerned = self.certificates.put(ingress)
        if self.certificates.is_wanted:
            self.want()
        return concerned

    def set_default(self, secret: Key | None) -> None:
        """Show this Secret's certificate to clients that name no host, or none that has its own."""
        self.certificates.set_default(secret)
        if self.certificates.is_wanted:
            self.want()
        self.publish()

    def remove(self, namespace: str, name: str) -> set[Key]:
        """Forget a KIngress; returns all whose certificates this concerns."""
        return self.certificates.remove(namespace, name)

    def problem(self, owner: Key) -> Problem | None:
        """Say why a KIngress' hosts are not all served with their certificates."""
        if not self.certificates.asks(owner):
            return None
        if not self._secrets.is_synced:
            failure = self._secrets.failure
            if isinstance(failure, Forbidden):
                return Problem(f"Secrets cannot be read: {failure.message}")
            return Problem("Secrets have not been read yet", may_come=True)
        return self.certificates.problem(owner)

    def publish(self) -> None:
        """From here on handshakes see the certificates of the moment."""
        if self.terminator is not None and self.certificates.has_news:
            self.terminator.show(self.certificates.names())

    def _secret_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        users = self.certificates.secret_changed(key(obj)) if obj is not None else ()
        if users or self.certificates.has_news:
            # Nobody's status tells of the default certificate, and it is shown all the same.
            self._changed(users)

    # -- life ---------------------------------------------------------------------------------

    async def run(self, listen: Listen) -> None:
        """Watch Secrets and listen once that is wanted."""
        await self._wanted.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._secrets.run(), name="watch-secrets")
            await self._first_list()
            # Imported here: who serves no TLS does without.
            from activator.tls.terminator import Terminator

            self.terminator = Terminator(self._timers)
            group.create_task(self._tell_when_read(), name="secrets-read")
            self._changed(self.certificates.owners())
            self.publish()
            await self._listen(listen, self.terminator.wrap)
            self._serves.set()

    async def settled(self) -> None:
        """Until TLS is served, where it is wanted already."""
        if self._wanted.is_set():
            await self._serves.wait()

    async def _first_list(self) -> None:
        """Wait for Secrets, within reason: others than TLS' clients wait as well."""
        try:
            async with time_limit(_FIRST_LIST_SECONDS):
                while not self._secrets.is_synced:
                    if isinstance(self._secrets.failure, Forbidden):
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.warning("secrets not read yet")

    async def _tell_when_read(self) -> None:
        await self._secrets.synced()
        self._changed(self.certificates.owners())

    async def _listen(self, listen: Listen, door: Door) -> None:
        while True:
            try:
                await listen(door)
            except OSError as error:
                log.error("TLS cannot be listened for", extra={"error": str(error)})
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return


def _certified(chain: bytes, key: bytes) -> ssl.SSLContext:
    from activator.tls.contexts import certified_context

    return certified_context(chain, key)
