"""Sends the events that tell of ends to the Broker, until it has taken them."""

from __future__ import annotations

import logging

from eventing.sources.sender import Sender
from hearth.knative.resources import BROKERS
from hearth.kube import meta
from hearth.kube.errors import NotFound, Retryable
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object
from hearth.pipelines.answering import make_answer
from hearth.pipelines.controller import RUN_SOURCE, noting
from hearth.pipelines.views import Run

log = logging.getLogger(__name__)


class Answers:
    """One more controller of runs: its work is an event."""

    def __init__(self, manager: Manager, sender: Sender) -> None:
        self._manager = manager
        self._sender = sender

    def add(self) -> None:
        """Wire it; before the manager runs."""
        self._manager.add_controller("pipelineanswers", self.answer, source=RUN_SOURCE)

    async def answer(self, key: Key) -> float | None:
        """Tell of a run that is over, once; the Broker knows one sent twice by its id."""
        run = self._manager.get(RUN_SOURCE, *key)
        if run is None or not Run(run).is_final or Run(run).status.get("answered"):
            return None
        url = await self._broker(run)
        if url:
            sent = await self._sender.send(url, make_answer(run), namespace=key[0])
            if not sent.accepted:
                raise Retryable(f"{url} does not take the end of {meta.key_text(key)}: {sent}")
        try:
            await self._manager.apply(noting(run, {"answered": True}))
        except NotFound:
            pass
        return None

    async def _broker(self, run: Object) -> str:
        """Return where the Broker takes events; "" where there is none any more."""
        name = Run(run).settings.broker
        try:
            broker = await self._manager.client.get(BROKERS, name, meta.namespace(run))
        except NotFound:
            return ""
        url = ((broker.get("status") or {}).get("address") or {}).get("url")
        if not url:
            raise Retryable(f"the broker {name!r} has no address yet")
        return str(url)
