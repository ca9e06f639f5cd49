"""Which watches of an adapter are open, and what lists have: kopf tells of neither.

The session it is given for its requests does. The adapter is ready once all watches are open, and
tells of all from then on; what a later list does not have any more was deleted meanwhile.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Set

import aiohttp
import orjson

from eventing.api.apiserveradapter import AdapterConfig, Watched
from eventing.sources.apiserver.changes import Listing
from hearth.kube.access import Access
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.sessions import open_session

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)"
)
_Kind = tuple[str, str, str]

Listed = Callable[[Set[str], str | None], None]
"""Told the uids of a whole list, and of which namespace it is; None is of all."""


class Watches:
    """The watches that are needed, and those that were opened."""

    def __init__(self, config: AdapterConfig, clock: Clock = wall_clock) -> None:
        self.complete = asyncio.Event()
        self.since: float | None = None
        """When they were complete first, in Unix seconds."""
        self._clock = clock
        self._config = config
        self._opened: dict[_Kind, set[str | None]] = {}
        self._listings: dict[tuple[_Kind, str | None], Listing] = defaultdict(Listing)
        self._told: dict[_Kind, list[Listed]] = defaultdict(list)

    def on_list(self, watched: Watched, told: Listed) -> None:
        """Tell of each list of a kind from now on."""
        self._told[watched.group, watched.version, watched.plural].append(told)

    def listed(self, path: str, query: Mapping[str, str], body: bytes) -> None:
        """Note what an answered request has listed, if it is a list."""
        found = _PATH.fullmatch(path)
        if found is None or _is_watch(query):
            return
        kind, where = _kind_of(found), found["namespace"]
        if kind not in self._told:
            return
        page = orjson.loads(body)
        uids = self._listings[kind, where].take(page, is_first=not query.get("continue"))
        if uids is not None:
            for tell in self._told[kind]:
                tell(uids, where)

    def opened(self, path: str, query: Mapping[str, str]) -> None:
        """Note a request that was answered, if it is a watch."""
        found = _PATH.fullmatch(path)
        if found is None or not _is_watch(query):
            return
        self._opened.setdefault(_kind_of(found), set()).add(found["namespace"])
        if self.since is None and all(map(self._is_open, self._config.watched)):
            self.since = self._clock()
            self.complete.set()

    def _is_open(self, watched: Watched) -> bool:
        """Of what is in no namespace there is one watch for all, as there is of all namespaces."""
        where = self._opened.get((watched.group, watched.version, watched.plural), set())
        return None in where or where >= set(self._config.namespaces)

    async def session(self, access: Access) -> aiohttp.ClientSession:
        """Return a session that shows who we are at the moment, and notes watches."""
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._answered)
        trace.on_response_chunk_received.append(self._read)
        return await open_session(access, [trace])

    async def _answered(
        self, session: aiohttp.ClientSession, context: object, told: aiohttp.TraceRequestEndParams
    ) -> None:
        if told.response.status == 200:
            self.opened(told.url.path, told.url.query)

    async def _read(
        self,
        session: aiohttp.ClientSession,
        context: object,
        told: aiohttp.TraceResponseChunkReceivedParams,
    ) -> None:
        """A whole body: watches are read by the line, and not told of."""
        if told.method != "GET":
            return
        try:
            self.listed(told.url.path, told.url.query, told.chunk)
        except ValueError:
            return  # kopf finds out as well


def _is_watch(query: Mapping[str, str]) -> bool:
    return query.get("watch") in ("true", "1")


def _kind_of(found: re.Match[str]) -> _Kind:
    return found["group"] or "", found["version"], found["plural"]
