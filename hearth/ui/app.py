"""The page's HTTP side: who is let in, and what answers where (Starlette).

=====================  =============================================================================
request                answer
=====================  =============================================================================
``GET /``              the page, or without a session what to do to get one (401)
``GET /assets/NAME``   its built files
``POST /login``        a cookie for the one-time code of ``hearth ui``
``GET /api/stream``    what there is and what changes, as server-sent events (``streams``)
``GET /api/logs``      what pods print (``logs``)
``GET /api/events``    the newest events of a broker or channel
``GET /api/trace``     the journeys of an event
``GET /api/explain``   why there are so many pods
``POST /api/traffic``  moves requests between revisions (``writing``)
``POST /api/redrive``  has events delivered anew
``POST /api/logout``   ends the session in this browser
=====================  =============================================================================

A reader's session is refused writes here (``guard``); besides, what it reads is read with
credentials that may write nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.errors import ApiError, Forbidden, NotFound, Unavailable
from hearth.ui import guard
from hearth.ui.files import Files, Served, wants_gzip
from hearth.ui.logs import Asked, follow
from hearth.ui.neighbours import CannotAsk, Json, Neighbours
from hearth.ui.sessions import SESSION_SECONDS, Role, Sessions
from hearth.ui.streams import Streams
from hearth.ui.writing import Changed, Unusable, redrive, text_of, write_traffic

_HERE = Path(__file__).parent
_MOST_UNDER_WAY = 100
"""Requests, streams included; who comes beyond is told so."""
_MOST_BODY_BYTES = 64 * 1024
_READER_WORDS = (
    "You look with a reader's session, which changes nothing: `hearth ui` opens one that may."
)
_STREAM_FIELDS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@dataclass(slots=True)
class Page:
    """What the page knows and may do."""

    sessions: Sessions
    reader: KubeClient
    """Reads for everybody."""
    writer: KubeClient | None
    """Writes for those who may; None where nobody may."""
    neighbours: Neighbours
    streams: Streams
    me: Mapping[str, str]
    """What viewers are told of the place: ``place``, ``version``, ``gateway``."""
    texts: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    """How the answers of ``trace`` and ``explain`` are told in words, as commands do."""
    clock: Clock = wall_clock
    page: Files = field(default_factory=lambda: Files(_HERE / "web" / "dist"))
    assets: Files = field(default_factory=lambda: Files(_HERE / "web" / "dist" / "assets"))
    login: Files = field(default_factory=lambda: Files(_HERE / "login"))
    under_way: int = 0
    asked_at: float = 0.0
    """When the last request began or ended."""


def make_app(page: Page) -> ASGIApp:
    """Return the application."""
    answers = _Answers(page)
    gets = {
        "/": answers.index,
        "/login.js": answers.login_file,
        "/login.css": answers.login_file,
        "/assets/{name}": answers.asset,
        "/api/me": answers.me,
        "/api/stream": answers.stream,
        "/api/logs": answers.logs,
        "/api/events": answers.events,
        "/api/trace": answers.trace,
        "/api/explain": answers.explain,
    }
    posts = {
        "/login": answers.login,
        "/api/logout": answers.logout,
        "/api/traffic": answers.traffic,
        "/api/redrive": answers.redrive,
    }
    routes = [Route(path, _told(answer), methods=["GET"]) for path, answer in gets.items()]
    routes += [Route(path, _told(answer), methods=["POST"]) for path, answer in posts.items()]
    return _Guarded(page, Starlette(routes=routes))


class _Guarded:
    """Lets requests in, or not, and has every answer tell browsers what it must not do."""

    def __init__(self, page: Page, app: ASGIApp) -> None:
        self._page = page
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        page, request = self._page, Request(scope)
        role = page.sessions.role(request.cookies.get(page.sessions.cookie, ""), now=page.clock())
        scope.setdefault("state", {})["role"] = role
        page.under_way, page.asked_at = page.under_way + 1, page.clock()
        try:
            await self._answer(request, role)(scope, receive, _hardened(send))
        finally:
            page.under_way, page.asked_at = page.under_way - 1, page.clock()

    def _answer(self, request: Request, role: Role | None) -> ASGIApp:
        path = request.url.path
        if self._page.under_way > _MOST_UNDER_WAY:
            return _failed(503, "too many look at this page: close some of them")
        refused = guard.refusal(request.method, path, request.headers, role)
        if refused is None:
            return self._app
        if refused is guard.NO_SESSION and path == "/" and request.method in ("GET", "HEAD"):
            found = self._page.login.get("index.html")
            assert found is not None
            return _file(request, found, status=401)
        return _failed(refused.status, refused.message)


def _hardened(send: Send) -> Send:
    fields = [(name.encode(), value.encode()) for name, value in guard.FIELDS.items()]

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *fields]
        await send(message)

    return sent


Answer = Callable[[Request], Awaitable[Response]]


def _told(answer: Answer) -> Answer:
    """Tell what goes wrong in words, with the status that fits."""

    async def told(request: Request) -> Response:
        try:
            return await answer(request)
        except Changed as error:
            return _failed(409, str(error))
        except Unusable as error:
            return _failed(400, str(error))
        except CannotAsk as error:
            return _failed(502, str(error))
        except ApiError as error:
            return _failed(_status(error), error.message)

    return told


def _status(error: ApiError) -> int:
    known = {Forbidden: 403, NotFound: 404, Unavailable: 502}
    return next((code for kind, code in known.items() if isinstance(error, kind)), 422)


def _failed(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status, {"cache-control": "no-store"})


def _file(request: Request, found: Served | None, *, status: int = 200) -> Response:
    if found is None:
        return _failed(404, f"there is no {request.url.path}")
    if status == 200 and request.headers.get("if-none-match") == found.tag:
        return Response(status_code=304, headers={"etag": found.tag, "cache-control": "no-cache"})
    zipped = bool(found.zipped) and wants_gzip(request.headers)
    content = found.zipped if zipped else found.content
    return Response(content, status, found.fields(zipped=zipped))


class _Answers:
    def __init__(self, page: Page) -> None:
        self._page = page

    # -- the page itself ---------------------------------------------------------------------------

    async def index(self, request: Request) -> Response:
        return _file(request, self._page.page.get("index.html"))

    async def asset(self, request: Request) -> Response:
        return _file(request, self._page.assets.get(request.path_params["name"]))

    async def login_file(self, request: Request) -> Response:
        return _file(request, self._page.login.get(request.url.path.removeprefix("/")))

    # -- sessions ----------------------------------------------------------------------------------

    async def login(self, request: Request) -> Response:
        page, code = self._page, str((await _body(request)).get("code") or "")
        begun = page.sessions.session(code, nonce=secrets.token_hex(8), now=page.clock())
        if begun is None:
            return _failed(401, "This address was used before, or is older than two minutes.")
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
        answer = JSONResponse({})
        answer.delete_cookie(self._page.sessions.cookie, httponly=True, samesite="strict")
        return answer

    async def me(self, request: Request) -> Response:
        return JSONResponse(self._me(request), headers={"cache-control": "no-store"})

    def _me(self, request: Request) -> Json:
        role = request.state.role
        words = "" if role is Role.WRITER else _READER_WORDS
        return {**self._page.me, "role": role, "words": words}

    # -- reading -----------------------------------------------------------------------------------

    async def stream(self, request: Request) -> Response:
        last_id = request.headers.get("last-event-id", "")
        return _streaming(self._page.streams.stream(self._me(request), last_id))

    async def logs(self, request: Request) -> Response:
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
        kind, _, place = request.query_params.get("place", "").partition(" ")
        if kind not in ("broker", "channel"):
            raise Unusable("events of what? give a place, `broker NAMESPACE/NAME` or `channel ...`")
        query = {kind: place, "limit": request.query_params.get("limit", "50")}
        return JSONResponse(
            await self._page.neighbours.broker("GET", f"/events?{urlencode(query)}")
        )

    async def trace(self, request: Request) -> Response:
        query = urlencode({"id": request.query_params.get("id", "")})
        told = await self._page.neighbours.broker("GET", f"/trace?{query}")
        return JSONResponse({**told, "text": self._in_words("trace", told)})

    async def explain(self, request: Request) -> Response:
        query = request.query_params
        namespace, name = text_of(query, "namespace"), text_of(query, "name")
        told = list(await self._page.neighbours.explanations(namespace, name))
        return JSONResponse({"explanations": told, "text": self._in_words("explain", told)})

    def _in_words(self, name: str, told: Any) -> str:
        words = self._page.texts.get(name)
        return words(told) if words is not None else ""

    # -- writing -----------------------------------------------------------------------------------

    async def traffic(self, request: Request) -> Response:
        writer = self._page.writer
        if writer is None:
            return _failed(403, _READER_WORDS)
        return JSONResponse({"words": await write_traffic(writer, await _body(request))})

    async def redrive(self, request: Request) -> Response:
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
