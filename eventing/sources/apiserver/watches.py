"""Which watches of an adapter are open: it is ready once all are, and tells of all from then on.

kopf does not say so; the session it is given for its requests does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import aiohttp

from eventing.api.apiserveradapter import AdapterConfig, Watched
from hearth.kube.access import Access
from hearth.kube.clock import Clock, wall_clock

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)"
)


class Watches:
    """The watches that are needed, and those that were opened."""

    def __init__(self, config: AdapterConfig, clock: Clock = wall_clock) -> None:
        self.complete = asyncio.Event()
        self.since: float | None = None
        """When they were complete first, in Unix seconds."""
        self._clock = clock
        self._config = config
        self._opened: dict[tuple[str, str, str], set[str | None]] = {}

    def opened(self, path: str, query: Mapping[str, str]) -> None:
        """Note a request that was answered, if it is a watch."""
        found = _PATH.fullmatch(path)
        if found is None or query.get("watch") not in ("true", "1"):
            return
        kind = found["group"] or "", found["version"], found["plural"]
        self._opened.setdefault(kind, set()).add(found["namespace"])
        if self.since is None and all(map(self._is_open, self._config.watched)):
            self.since = self._clock()
            self.complete.set()

    def _is_open(self, watched: Watched) -> bool:
        """Of what is in no namespace there is one watch for all, as there is of all namespaces."""
        where = self._opened.get((watched.group, watched.version, watched.plural), set())
        return None in where or where >= set(self._config.namespaces)

    async def session(self, access: Access) -> aiohttp.ClientSession:
        """Return a session that shows who we are at the moment, and notes watches."""
        headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        if access.authorization is not None:
            shown = await access.authorization.header()
            headers |= {} if shown is None else {"Authorization": shown}
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._answered)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=access.ssl_context()),
            headers=headers,
            proxy=access.proxy,
            trace_configs=[trace],
        )

    async def _answered(
        self, session: aiohttp.ClientSession, context: object, told: aiohttp.TraceRequestEndParams
    ) -> None:
        if told.response.status == 200:
            self.opened(told.url.path, told.url.query)
