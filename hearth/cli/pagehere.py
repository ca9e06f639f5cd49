"""The live page of one machine: where its neighbours are, and what it reads and writes with."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from hearth.cli.errors import UserError
from hearth.cli.eventadmin import BrokerProcess
from hearth.cli.eventtext import trace_text
from hearth.cli.scaleadmin import explanations
from hearth.cli.scaletext import scale_text
from hearth.cli.state import read_state
from hearth.cluster.apiserver.credentials import component_token
from hearth.kube.kubeconfig import access_of
from hearth.process import Main
from hearth.ui.main import PageConfig, run
from hearth.ui.neighbours import CannotAsk, Json, Neighbours

T = TypeVar("T")

TEXTS: Mapping[str, Callable[[Any], str]] = {"trace": trace_text, "explain": scale_text}
"""How the page tells in words what commands tell, too."""
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class HereConfig:
    """Where things are on this machine; ``metrics`` are URLs by activator."""

    data_dir: Path
    kubeconfig: Path
    secret: str
    gateway: str
    metrics: Mapping[str, str]


def page_of(config: HereConfig, held: socket.socket) -> Main:
    """Return the component that serves the page on a listening socket."""
    writer = access_of(config.kubeconfig)
    reader = replace(writer, token=component_token(config.data_dir, "reader"))

    async def main(ready: Callable[[], None]) -> None:
        name = read_state(config.data_dir).get("name", "")
        page = PageConfig(
            held,
            secret=config.secret,
            reader=reader,
            writer=writer,
            neighbours=lambda _: here(config),
            me=me(f"this machine: {name}", config.gateway),
            texts=TEXTS,
            rests=True,
        )
        await run(page, ready)

    return main


def me(place: str, gateway: str) -> dict[str, str]:
    """Return what viewers are told of where they look."""
    return {"place": place, "gateway": gateway, "version": version("hearth-serving")}


@asynccontextmanager
async def here(config: HereConfig) -> AsyncIterator[Neighbours]:
    """Yield the processes of this machine."""
    limit = aiohttp.ClientTimeout(total=_SECONDS)
    # What is compressed for a neighbour costs both of them more than it saves.
    fields = {"Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(headers=fields, timeout=limit) as session:
        yield _Here(config, session)


class _Here(Neighbours):
    def __init__(self, config: HereConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session

    async def readings(self) -> Mapping[str, str]:
        names, urls = zip(*self._config.metrics.items(), strict=True)
        texts = await asyncio.gather(*map(self._reading, urls))
        return dict(zip(names, texts, strict=True))

    async def _reading(self, url: str) -> str:
        try:
            async with self._session.get(url) as answer:
                return await answer.text()
        except (aiohttp.ClientError, OSError) as error:
            raise CannotAsk(f"rates of requests are not known: {error}") from error

    async def broker(self, method: str, target: str, body: Json | None = None) -> Json:
        def ask() -> Json:
            return BrokerProcess.of(None, self._config.data_dir).ask(method, target, body)

        return await told(ask)

    async def explanations(self, namespace: str, name: str) -> Sequence[Json]:
        folder = self._config.data_dir
        return await told(lambda: explanations(None, folder, namespace=namespace, service=name))


async def told(ask: Callable[[], T]) -> T:
    """Ask as a command does, in a thread; raise CannotAsk with the words of the command."""
    try:
        return await asyncio.to_thread(ask)
    except UserError as error:
        raise CannotAsk(str(error)) from error
