"""Sessions of aiohttp for libraries that speak with an API server by themselves (kopf)."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from hearth.kube.access import Access


async def open_session(
    access: Access, traces: Sequence[aiohttp.TraceConfig] = ()
) -> aiohttp.ClientSession:
    """Return a session that shows who we are at the moment; ``traces`` see its requests."""
    headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
    if access.authorization is not None:
        shown = await access.authorization.header()
        headers |= {} if shown is None else {"Authorization": shown}
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=access.ssl_context()),
        headers=headers,
        proxy=access.proxy,
        trace_configs=list(traces),
    )
