"""Tells Knative's autoscaler what triggers wish for: the operator's end of the statistics' wire.

Every replica of the control plane hears every wish: any of them may lead tomorrow.
"""

from __future__ import annotations

import asyncio

from hearth.knative.autoscalers import Autoscalers
from hearth.knative.connections import Connections
from hearth.knative.leaderelection import Address
from hearth.kube.tokens import Tokens
from serving.api.stats import encode_hello
from serving.api.wishes import Wish, encode_wishes

REPEAT_SECONDS = 10.0
"""All wishes are sent again so often, whoever may have forgotten them."""


class WishSender:
    """Keeps what is wished for; says it at once, and again to whoever is new."""

    def __init__(self, autoscalers: Autoscalers, *, tokens: Tokens, name: str = "keda") -> None:
        """What ``tokens`` shows lets it in, ``name`` says who wishes."""
        self._connections = Connections(autoscalers, lambda: encode_hello(tokens.shown, name))
        self._wishes: dict[tuple[str, str, str, str], Wish] = {}

    @property
    def is_reachable(self) -> bool:
        """Whether every autoscaler there is can be told."""
        return self._connections.is_complete

    def wish(self, wish: Wish) -> None:
        """Say what one source wishes for; one that ends is repeated too, for who missed it."""
        key = (wish.kind, wish.namespace, wish.name, wish.source)
        if self._wishes.get(key) == wish:
            return
        self._wishes[key] = wish
        line = encode_wishes([wish])
        for writer in self._connections.writers.values():
            writer.write(line)

    async def run(self) -> None:
        """Keep connections until cancelled."""
        await self._connections.run(self._tell_again)

    async def _tell_again(self, _address: Address, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(encode_wishes(self._wishes.values()))
            await writer.drain()
            await asyncio.sleep(REPEAT_SECONDS)
