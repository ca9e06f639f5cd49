"""Admission webhooks of one project: served, and registered for as long as they are.

Called by the main modules of serving and eventing. Where there is one process, its address goes to
the API server; where there are replicas, a Service, whose certificate they share in a Secret, and
the leading one keeps the configurations as they should be, whoever changes them.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

from hearth.kube import certificates
from hearth.kube.access import load_chain
from hearth.kube.admission import Handler
from hearth.kube.cache import WatchCache
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.errors import NotFound
from hearth.kube.guards import keep_running
from hearth.kube.keptfiles import Files, KeptFiles, OwnFiles, SharedFiles, tried, woken
from hearth.kube.leadership import Leadership
from hearth.kube.meta import Object, name
from hearth.kube.queue import backoff
from hearth.kube.resources import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from hearth.kube.webhooks import Endpoint, HttpsServer, Webhook, configuration, corrected

log = logging.getLogger(__name__)

_LOOK_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Guest:
    """Another project whose webhooks are served and registered along, so that it needs no server.

    ``install`` puts in what has to be there before its webhooks are registered.
    """

    webhooks: Sequence[Webhook]
    handlers: Callable[[KubeClient], Mapping[str, Handler]]
    install: Callable[[KubeClient], Awaitable[None]]


class Registration:
    """The webhooks of one process and their registration."""

    def __init__(
        self,
        client: KubeClient,
        handlers: Mapping[str, Handler],
        endpoint: Endpoint,
        *,
        leadership: Leadership,
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._leadership = leadership
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._authorities = b""
        self._has_certificate = asyncio.Event()
        self._due = asyncio.Event()
        self._wanted: dict[str, Webhook] = {}
        self._written = 0
        """How many configurations had to be written so far."""
        self._server = HttpsServer(handlers, self._context, endpoint)
        self._files = self._kept_files()
        self._files.on_change(self._take)
        self._caches = [
            WatchCache(client, resource) for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
        ]
        for cache in self._caches:
            cache.on_change(self._changed)
        leadership.on_change(self._due.set)

    def _kept_files(self) -> KeptFiles:
        service = self._endpoint.service
        names = (self._endpoint.host,) if service is None else service.hosts
        renew = partial(_renewed, names)
        if service is None:
            return OwnFiles(renew, self._endpoint.kept)
        secret = service.namespace, service.secret
        return SharedFiles(self._client, secret, renew, leadership=self._leadership)

    @property
    def url(self) -> str:
        """Where is listened on."""
        return self._server.url

    async def register(self, webhooks: Sequence[Webhook]) -> None:
        """Have the API server ask here; where another replica leads, that one sees to it.

        Where this process leads it is so on return; it stays so whoever changes a configuration.
        """
        for webhook in webhooks:
            self._wanted[webhook.name] = webhook
        await self._put_all(list(webhooks))

    @contextmanager
    def _background(self) -> Iterator[None]:
        runs = {
            "webhook-files": self._files.run,
            "webhook-registration": self._keep,
            **{f"watch-{cache.resource.plural}": cache.run for cache in self._caches},
        }
        tasks = [asyncio.create_task(keep_running(*each), name=each[0]) for each in runs.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Registration]:
        """Serve until the context is left, and a little longer: see ``drain_delay_seconds``."""
        with self._background():
            await self._has_certificate.wait()
            await self._server.start()
            try:
                yield self
            finally:
                try:
                    await asyncio.sleep(self._endpoint.drain_delay_seconds)
                finally:
                    await self._server.stop()

    def _take(self, files: Files) -> None:
        try:
            certificate, key = files[certificates.CERTIFICATE], files[certificates.KEY]
            load_chain(self._context, certificate, key)
            self._authorities = files[certificates.AUTHORITIES]
        except (KeyError, ssl.SSLError) as error:
            # Whoever leads makes them anew, since they are not good; the old ones serve till then.
            log.error("certificate of webhooks cannot be used", extra={"error": repr(error)})
            return
        self._has_certificate.set()
        self._due.set()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is not None and name(obj) in self._wanted:
            self._due.set()

    async def _keep(self) -> None:
        """Put right what is changed; later each time while that does not last.

        Somebody may want it otherwise, and an API server may give back what was not asked for.
        """
        corrections = 0
        while True:
            await woken(self._due, _LOOK_SECONDS)
            self._due.clear()
            written = self._written
            await self._put_all(list(self._wanted.values()))
            corrections = corrections + 1 if self._written > written else 0
            if corrections:
                await asyncio.sleep(min(backoff(corrections), _LOOK_SECONDS))

    async def _put_all(self, webhooks: Sequence[Webhook]) -> None:
        for webhook in webhooks:
            if self._leadership.leads(("", webhook.name)):
                facts = {"webhook": webhook.name}
                while not await tried(partial(self._put, webhook), facts):
                    pass  # changed in between: look again

    async def _put(self, webhook: Webhook) -> None:
        wanted = configuration(
            webhook, self._client_config(webhook), trusted_user=self._endpoint.trusted_user
        )
        try:
            known = await self._client.get(webhook.resource, webhook.name)
        except NotFound:
            await self._client.create(webhook.resource, wanted)
            self._written += 1
            return
        changed = corrected(known, wanted)
        if changed is not None:
            await self._client.update(webhook.resource, changed)
            self._written += 1

    def _client_config(self, webhook: Webhook) -> Object:
        bundle = {"caBundle": base64.b64encode(self._authorities).decode()}
        service = self._endpoint.service
        if service is None:
            return {"url": self._server.url + webhook.path, **bundle}
        reference = {"name": service.name, "namespace": service.namespace}
        return {
            "service": {**reference, "path": webhook.path, "port": service.port},
            **bundle,
        }


class FollowedWebhook:
    """A webhook whose kinds are named by objects that come and go."""

    def __init__(self, wanted: Callable[[], Webhook]) -> None:
        """``wanted`` says what should be asked about at the moment."""
        self._wanted = wanted
        self._registered: Webhook | None = None
        self._due = asyncio.Event()

    def look_again(self) -> None:
        """Something has changed that it goes by."""
        self._due.set()

    async def register(self, registration: Registration) -> None:
        """Have what should be asked about asked about."""
        wanted = self._wanted()
        if wanted != self._registered:
            await registration.register([wanted])
            self._registered = wanted

    async def run(self, registration: Registration) -> None:
        """Register anew whenever other kinds are named, until cancelled."""
        while True:
            self._due.clear()
            await self.register(registration)
            await self._due.wait()


def _renewed(names: Sequence[str], files: Files) -> Files | None:
    now = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
    return certificates.renewed(files, names, now)
