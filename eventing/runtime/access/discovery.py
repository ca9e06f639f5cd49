"""What an issuer of tokens says of itself, where that is not the API server (OpenID Discovery)."""

from __future__ import annotations

import json
import ssl
from typing import Any

_SECONDS = 10.0
_MOST_BYTES = 1024 * 1024
_PATH = "/.well-known/openid-configuration"


class FetchError(Exception):
    """An issuer that does not answer, or not as an issuer does."""


async def fetched(base: str, *, trusted: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an issuer's discovery document and its keys; raise FetchError.

    ``trusted`` are authorities (PEM) to trust beside those of the system.
    """
    import aiohttp

    context = ssl.create_default_context()
    if trusted:
        context.load_verify_locations(cadata=trusted)
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    connector = aiohttp.TCPConnector(ssl=context)
    try:
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            discovery = await _json(session, base.rstrip("/") + _PATH)
            return discovery, await _json(session, str(discovery.get("jwks_uri", "")))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise FetchError(f"{base}: {error}") from error


async def _json(session: Any, url: str) -> dict[str, Any]:
    async with session.get(url, allow_redirects=False) as answer:
        if answer.status != 200:
            raise ValueError(f"{url} answers with {answer.status}")
        body = await answer.content.read(_MOST_BYTES)
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError(f"{url} is no JSON object")
    return found
