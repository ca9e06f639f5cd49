"""What the page knows and may do, and the forms of its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock
from hearth.ui.files import Files, Served, wants_gzip
from hearth.ui.neighbours import Neighbours
from hearth.ui.sessions import Sessions
from hearth.ui.streams import Streams

_HERE = Path(__file__).parent


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


def failed(status: int, message: str) -> Response:
    """Return an answer that says what is wrong."""
    return JSONResponse({"message": message}, status, {"cache-control": "no-store"})


def file_answer(request: Request, found: Served | None, *, status: int = 200) -> Response:
    """Return a file as the browser has asked for it; 404 where there is none."""
    if found is None:
        return failed(404, f"there is no {request.url.path}")
    if status == 200 and request.headers.get("if-none-match") == found.tag:
        return Response(status_code=304, headers={"etag": found.tag, "cache-control": "no-cache"})
    zipped = bool(found.zipped) and wants_gzip(request.headers)
    content = found.zipped if zipped else found.content
    return Response(content, status, found.fields(zipped=zipped))
