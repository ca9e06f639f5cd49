"""Follows WebhookSources and the Secrets that they name, and notes in statuses which are served."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from eventing.api.keys import ADAPTER_PROBLEM_ANNOTATION, OPENED_ANNOTATION
from eventing.api.views import file_key, spec_of, status_annotation, status_of
from eventing.codec import Event
from eventing.runtime.target import Bearer
from eventing.sources.sender import SOURCE_POLICY, Sender, Sent
from eventing.sources.tokens import Tokens
from eventing.sources.tracing import of_source
from eventing.sources.webhook.rules import rules_of
from eventing.sources.webhook.seen import Memory
from eventing.sources.webhook.taking import Served
from hearth.knative.resources import WEBHOOKSOURCES
from hearth.kube import meta
from hearth.kube.controllerspec import Source
from hearth.kube.errors import Retryable
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, key, name, namespace
from hearth.kube.plan import Patch, Plan
from hearth.kube.resources import SECRETS
from hearth.timeouts import time_limit

WEBHOOKSOURCE_SOURCE = Source(WEBHOOKSOURCES)
_CONTROLLER = "webhooks"
_READ_SECONDS = 5.0
_GROUP = f"{WEBHOOKSOURCES.plural}.{WEBHOOKSOURCES.group}"

POLICY = replace(SOURCE_POLICY, retry_after_max_seconds=0.5)
"""A sink that wants to be left alone for longer is told to the sender, who comes again."""

MakeSender = Callable[[str | None], Sender]


class WebhookSources:
    """All WebhookSources of a cluster, as the receiver finds them."""

    def __init__(self, manager: Manager, memory: Memory, make_sender: MakeSender) -> None:
        self._manager = manager
        self._memory = memory
        self._make_sender = make_sender
        self._tokens = Tokens(manager.client)
        self._senders: dict[str | None, Sender] = {}
        self._served: dict[Key, tuple[Object, Served]] = {}
        self._followed: dict[Source, set[Key]] = {}
        manager.add_controller(_CONTROLLER, self._settle, source=WEBHOOKSOURCE_SOURCE)

    async def close(self) -> None:
        """Send nothing more."""
        await self._tokens.close()
        for sender in self._senders.values():
            await sender.close()

    def find(self, item: Key) -> Served | None:
        """Return a WebhookSource that is served; None where there is none."""
        found = self._served.get(item)
        return None if found is None else found[1]

    def tidy(self) -> None:
        """Forget what was taken by WebhookSources that are no more."""
        self._memory.keep_only({_file(each) for each in self._manager.list(WEBHOOKSOURCE_SOURCE)})

    # -- which there are -----------------------------------------------------------------------

    async def begin(self) -> None:
        """Serve those that are there: nobody who asks from now on is told that one is not."""
        for obj in self._manager.list(WEBHOOKSOURCE_SOURCE):
            with contextlib.suppress(ValueError, OSError):  # its status will say so
                self._serve(obj)
                await self._looked_up(obj)
        self.tidy()

    async def _settle(self, item: Key) -> None:
        obj = self._manager.get(WEBHOOKSOURCE_SOURCE, *item)
        if obj is None or meta.is_deleting(obj):
            self._served.pop(item, None)
            if obj is None:
                self.tidy()
            return
        try:
            self._serve(obj)
        except (ValueError, OSError) as error:
            self._served.pop(item, None)
            await self._note(obj, str(error))
            return
        are_read = await self._looked_up(obj)
        found = (self._secret(obj, each) for each in _references(obj))
        await self._note(obj, "; ".join(each for each in found if isinstance(each, str)))
        if not are_read:
            raise Retryable("secrets were not listed yet")

    def _serve(self, obj: Object) -> None:
        """Serve it as it is now; requests that are under way go on by what was."""
        known = self._served.get(key(obj))
        if known is not None and known[0] is obj:
            return
        is_same = known is not None and meta.uid(known[0]) == meta.uid(obj)
        served = Served(
            key(obj),
            rules_of(obj),
            secrets=partial(self._readable, obj),
            seen=self._memory.of(_file(obj)),
            send=partial(self._send, obj),
        )
        if known is not None and is_same:
            served.under_way, served.writing = known[1].under_way, known[1].writing
        self._served[key(obj)] = obj, served

    # -- secrets -------------------------------------------------------------------------------

    async def _looked_up(self, obj: Object) -> bool:
        """Follow the Secrets that a WebhookSource names; whether all have been read."""
        sources = [_secret_source(namespace(obj), each) for each in _names(obj)]
        for source in sources:
            if source not in self._followed:
                self._followed[source] = set()
                self._manager.on_change(source, partial(self._changed, source))
            self._followed[source].add(key(obj))
        try:
            async with time_limit(_READ_SECONDS):
                for source in sources:
                    await self._manager.cache(source).synced()
        except TimeoutError:
            return False
        return True

    def _changed(self, source: Source, old: Object | None, new: Object | None) -> None:
        for item in self._followed[source]:
            self._manager.enqueue(_CONTROLLER, item)

    def _readable(self, obj: Object) -> list[bytes]:
        found = (self._secret(obj, each) for each in _references(obj))
        return [each for each in found if isinstance(each, bytes)]

    def _secret(self, obj: Object, reference: dict[str, Any]) -> bytes | str:
        """A secret, or what is wrong with it; one line end at its end is nobody's intention."""
        where, title = namespace(obj), str(reference.get("name"))
        source = _secret_source(where, title)
        if source not in self._followed or not self._manager.cache(source).is_synced:
            return f'the Secret "{title}" was not read yet'
        secret = self._manager.get(source, where, title)
        if secret is None:
            return f'there is no Secret "{title}" in {where}'
        text = (secret.get("data") or {}).get(str(reference.get("key")))
        try:
            value = base64.b64decode(text or "", validate=True).removesuffix(b"\n")
        except binascii.Error:
            value = b""
        return value or f'the Secret "{title}" has no key "{reference.get("key")}", or an empty one'

    # -- what they send ------------------------------------------------------------------------

    async def _send(self, obj: Object, event: Event) -> Sent:
        status = status_of(obj)
        sink = status.get("sinkUri")
        if not sink:
            return Sent(0, error="the sink is not resolved yet")
        try:
            authorization = await self._authorization(obj)
            return await self._sender(status.get("sinkCACerts")).send(
                sink,
                event,
                authorization=authorization,
                namespace=namespace(obj),
                source=of_source(_GROUP, *key(obj)),
            )
        except ValueError as error:
            return Sent(0, error=str(error))

    async def _authorization(self, obj: Object) -> str | None:
        status = status_of(obj)
        account = (status.get("auth") or {}).get("serviceAccountName")
        audience = status.get("sinkAudience")
        if not account or not audience:
            return None
        return f"Bearer {await self._tokens.get(Bearer(namespace(obj), account, audience))}"

    def _sender(self, ca_certs: str | None) -> Sender:
        found = self._senders.get(ca_certs)
        if found is None:
            found = self._senders[ca_certs] = self._make_sender(ca_certs)
        return found

    # -- what is told --------------------------------------------------------------------------

    async def _note(self, obj: Object, problem: str) -> None:
        """Note which generation is served here, and what is wrong with it."""
        generation = str(meta.generation(obj))
        wanted = {
            OPENED_ANNOTATION: generation,
            ADAPTER_PROBLEM_ANNOTATION: f"{generation} {problem}" if problem else None,
        }
        if all(status_annotation(obj, mark) == value for mark, value in wanted.items()):
            return
        status: dict[str, Any] = {"status": {"annotations": wanted}}
        change = Patch(WEBHOOKSOURCES, name(obj), namespace(obj), status, subresource="status")
        await self._manager.apply(Plan((change,)))


def _references(obj: Object) -> list[dict[str, Any]]:
    return [each.get("secretKeyRef") or {} for each in spec_of(obj).get("secrets") or ()]


def _names(obj: Object) -> list[str]:
    return [str(each.get("name")) for each in _references(obj)]


def _secret_source(where: str, title: str) -> Source:
    """One Secret alone: more need not be held in memory."""
    return Source(SECRETS, namespace=where, field_selector=f"metadata.name={title}")


def _file(obj: Object) -> str:
    return file_key(f"{namespace(obj)}_{name(obj)}", obj)
