"""What is answered to each request that was let in."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from hearth.ui.logs import Asked, follow
from hearth.ui.neighbours import Json
from hearth.ui.page import Page, failed, file_answer
from hearth.ui.sessions import SESSION_SECONDS, Role
from hearth.ui.writing import Unusable, redrive, text_of, write_traffic

_MOST_BODY_BYTES = 64 * 1024
_READER_WORDS = (
    "You look with a reader's session, which changes nothing: `hearth ui` opens one that may."
)
_STREAM_FIELDS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Answers:
    """One method for each path (``app`` lists them)."""

    def __init__(self, page: Page) -> None:
        self._page = page

    # -- the page itself ---------------------------------------------------------------------------

    async def index(self, request: Request) -> Response:
        """The page itself."""
        return file_answer(request, self._page.page.get("index.html"))

    async def asset(self, request: Request) -> Response:
        """A built file of the page."""
        return file_answer(request, self._page.assets.get(request.path_params["name"]))

    async def login_file(self, request: Request) -> Response:
        """A file of what is shown without a session."""
        return file_answer(request, self._page.login.get(request.url.path.removeprefix("/")))

    # -- sessions ----------------------------------------------------------------------------------

    async def login(self, request: Request) -> Response:
        """A session for a code."""
        page, code = self._page, str((await _body(request)).get("code") or "")
        begun = page.sessions.session(code, nonce=secrets.token_hex(8), now=page.clock())
        if begun is None:
            return failed(401, "This address was used before, or is older than two minutes.")
        role, cookie = begun
        answer = JSONResponse({"role": role})
        answer.set_cookie(
            page.sessions.cookie,
            cookie,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def logout(self, _request: Request) -> Response:
        """The end of the session, in this browser."""
        answer = JSONResponse({})
        answer.delete_cookie(self._page.sessions.cookie, httponly=True, samesite="strict")
        return answer

    async def me(self, request: Request) -> Response:
        """Who looks at what."""
        return JSONResponse(self._me(request), headers={"cache-control": "no-store"})

    def _me(self, request: Request) -> Json:
        role = request.state.role
        words = "" if role is Role.WRITER else _READER_WORDS
        return {**self._page.me, "role": role, "words": words}

    # -- reading -----------------------------------------------------------------------------------

    async def stream(self, request: Request) -> Response:
        """What there is and what changes (``streams``)."""
        last_id = request.headers.get("last-event-id", "")
        return _streaming(self._page.streams.stream(self._me(request), last_id))

    async def logs(self, request: Request) -> Response:
        """What pods print (``logs``)."""
        query = request.query_params
        tail = query.get("tail", "200")
        if not (tail.isascii() and tail.isdigit()) or not (
            query.get("service") or query.get("pod")
        ):
            raise Unusable("whose logs? give a namespace, a service or a pod, and tail as a number")
        named = {field: query[field] for field in ("service", "pod", "container") if field in query}
        asked = Asked(
            text_of(query, "namespace"),
            **{field: text_of(query, field) for field in named},
            tail=min(int(tail), 1000),
        )
        last_id = request.headers.get("last-event-id", "")
        return _streaming(follow(self._page.reader, asked, last_id))

    async def events(self, request: Request) -> Response:
        """The newest events of a place."""
        kind, _, place = request.query_params.get("place", "").partition(" ")
        if kind not in ("broker", "channel"):
            raise Unusable("events of what? give a place, `broker NAMESPACE/NAME` or `channel ...`")
        query = {kind: place, "limit": request.query_params.get("limit", "50")}
        return JSONResponse(
            await self._page.neighbours.broker("GET", f"/events?{urlencode(query)}")
        )

    async def trace(self, request: Request) -> Response:
        """The journeys of an event."""
        query = urlencode({"id": request.query_params.get("id", "")})
        told = await self._page.neighbours.broker("GET", f"/trace?{query}")
        return JSONResponse({**told, "text": self._in_words("trace", told)})

    async def explain(self, request: Request) -> Response:
        """Why there are so many pods."""
        query = request.query_params
        namespace, name = text_of(query, "namespace"), text_of(query, "name")
        told = list(await self._page.neighbours.explanations(namespace, name))
        return JSONResponse({"explanations": told, "text": self._in_words("explain", told)})

    def _in_words(self, name: str, told: Any) -> str:
        words = self._page.texts.get(name)
        return words(told) if words is not None else ""

    # -- writing -----------------------------------------------------------------------------------

    async def traffic(self, request: Request) -> Response:
        """Other shares of requests (``writing``)."""
        writer = self._page.writer
        if writer is None:
            return failed(403, _READER_WORDS)
        return JSONResponse({"words": await write_traffic(writer, await _body(request))})

    async def redrive(self, request: Request) -> Response:
        """Events delivered anew, or given up."""
        return JSONResponse(await redrive(self._page.neighbours, await _body(request)))


def _streaming(content: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(content, 200, _STREAM_FIELDS, "text/event-stream")


async def _body(request: Request) -> Json:
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > _MOST_BODY_BYTES:
            raise Unusable("the request is too large")
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Unusable("the body is no JSON") from error
    if not isinstance(body, dict):
        raise Unusable("the body is no JSON object")
    return body
