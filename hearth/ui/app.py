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

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hearth.kube.errors import ApiError, Forbidden, NotFound, Unavailable
from hearth.ui import guard
from hearth.ui.answers import Answers
from hearth.ui.neighbours import CannotAsk
from hearth.ui.page import Page, failed, file_answer
from hearth.ui.sessions import Role
from hearth.ui.writing import Changed, Unusable

_MOST_UNDER_WAY = 100
"""Requests, streams included; who comes beyond is told so."""


def make_app(page: Page) -> ASGIApp:
    """Return the application."""
    answers = Answers(page)
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
            return failed(503, "too many look at this page: close some of them")
        refused = guard.refusal(request.method, path, request.headers, role)
        if refused is None:
            return self._app
        if refused is guard.NO_SESSION and path == "/" and request.method in ("GET", "HEAD"):
            found = self._page.login.get("index.html")
            assert found is not None
            return file_answer(request, found, status=401)
        return failed(refused.status, refused.message)


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
            return failed(409, str(error))
        except Unusable as error:
            return failed(400, str(error))
        except CannotAsk as error:
            return failed(502, str(error))
        except ApiError as error:
            return failed(_status(error), error.message)

    return told


def _status(error: ApiError) -> int:
    known = {Forbidden: 403, NotFound: 404, Unavailable: 502}
    return next((code for kind, code in known.items() if isinstance(error, kind)), 422)
