"""Serves one Python function over HTTP; what runs a folder with a function in it.

    python function.py PATH FUNCTION [STYLE]

The function gets a request with ``method``, ``path``, ``query``, ``headers``, ``body`` (bytes)
and ``event`` (the attributes and ``data`` of a CloudEvent, or None). It returns text, bytes, a
dict or list (JSON), None (204), or a pair of one of these and a status. Coroutine functions are
awaited. A returned dict with ``specversion``, ``id``, ``source`` and ``type`` is sent as a
CloudEvent. STYLE says how others call theirs: ``openfaas`` (event, context), ``text`` (the body as
text), ``kubeless`` (event, context), ``fission`` (no arguments; Flask's request where Flask is).
Runs in the application's own interpreter: the standard library only.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

_MAX_BODY = 64 * 1024 * 1024
_EVENT_FIELDS = ("specversion", "id", "source", "type")
_JSON = "application/json"
_STRUCTURED = "application/cloudevents+json"


@dataclass
class Request:
    """What a function is called with."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    event: dict[str, Any] | None

    @property
    def json(self) -> Any:
        """The body, decoded; raises ValueError where it is no JSON."""
        return json.loads(self.body)


def parse_event(headers: dict[str, str], body: bytes) -> dict[str, Any] | None:
    """The CloudEvent in a request, attributes and ``data`` in one dict."""
    media_type = headers.get("content-type", "")
    if media_type.startswith(_STRUCTURED):
        event: dict[str, Any] = json.loads(body)
        return event
    if "ce-specversion" not in headers:
        return None
    event = {k[3:]: unquote(v) for k, v in headers.items() if k.startswith("ce-")}
    if body:
        is_json = media_type.partition(";")[0].strip().endswith("json")
        event["data"] = json.loads(body) if is_json else body.decode("utf-8", "replace")
    return event


def encode_result(result: Any) -> tuple[int, str, bytes]:
    """Status, media type and body of what a function returned."""
    status = 200
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], int):
        result, status = result
    if result is None:
        return (204 if status == 200 else status), "", b""
    if isinstance(result, bytes):
        return status, "application/octet-stream", result
    if isinstance(result, str):
        return status, "text/plain; charset=utf-8", result.encode()
    is_event = isinstance(result, dict) and all(field in result for field in _EVENT_FIELDS)
    return status, _STRUCTURED if is_event else _JSON, json.dumps(result).encode()


def in_style(style: str, name: str, function: Callable[..., Any]) -> Callable[[Request], Any]:
    """A function of one request that calls one of another style."""
    if style == "openfaas":
        context = SimpleNamespace(hostname=socket.gethostname())
        return lambda request: _openfaas_result(function(_openfaas_event(request), context))
    if style == "text":
        return lambda request: function(request.body.decode("utf-8", "replace"))
    if style == "kubeless":
        about = {"function-name": name, "timeout": "180", "runtime": "python", "memory-limit": ""}
        return lambda request: function(_kubeless_event(request), about)
    return _in_flask(function) if style == "fission" else function


def _openfaas_event(request: Request) -> SimpleNamespace:
    query = dict(parse_qsl(request.query))
    return SimpleNamespace(
        body=request.body, headers=request.headers, method=request.method, query=query,
        path=request.path,
    )  # fmt: skip


def _openfaas_result(result: Any) -> Any:
    if isinstance(result, dict) and "statusCode" in result:
        return result.get("body"), int(result["statusCode"])
    return result


def _kubeless_event(request: Request) -> dict[str, Any]:
    event = request.event or {}
    data: Any = event.get("data", request.body.decode("utf-8", "replace"))
    if request.event is None and request.headers.get("content-type", "").startswith(_JSON):
        data = request.json
    return {
        "data": data,
        "event-id": event.get("id", ""),
        "event-type": event.get("type", request.headers.get("content-type", "")),
        "event-time": event.get("time", ""),
        "event-namespace": event.get("source", ""),
        "extensions": {"request": request},
    }


def _in_flask(function: Callable[[], Any]) -> Callable[[Request], Any]:
    """Calls it within a request of Flask, where the application has Flask."""
    if importlib.util.find_spec("flask") is None:
        return lambda request: function()
    flask = importlib.import_module("flask")
    app = flask.Flask("function")

    def call(request: Request) -> Any:
        where = f"{request.path}?{request.query}"
        with app.test_request_context(
            where, method=request.method, headers=request.headers, data=request.body
        ):
            answer = app.make_response(function())
            return answer.get_data(), answer.status_code

    return call


def load(path: str, name: str) -> Callable[..., Any]:
    """The function of that name in the file, as a plain callable."""
    folder = os.path.dirname(os.path.abspath(path))
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location("func", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["func"] = module
    spec.loader.exec_module(module)
    function = getattr(module, name)
    if inspect.iscoroutinefunction(function):
        return lambda *arguments: asyncio.run(function(*arguments))
    return function  # type: ignore[no-any-return]


def make_handler(function: Callable[[Request], Any]) -> type[BaseHTTPRequestHandler]:
    """The HTTP handler that calls the function for every request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # the body does not wait until the head is acknowledged

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > _MAX_BODY or self.headers.get("Transfer-Encoding"):
                self.close_connection = True
                self._reply(413 if length else 411, "", b"")
                return
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            parts = urlsplit(self.path)
            try:
                event = parse_event(headers, body)
            except ValueError as error:
                self._reply(400, "text/plain", f"not a CloudEvent: {error}\n".encode())
                return
            request = Request(self.command, parts.path, parts.query, headers, body, event)
            try:
                self._reply(*encode_result(function(request)))
            except Exception:
                traceback.print_exc()
                self._reply(500, "text/plain", b"the function failed\n")

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve

        def _reply(self, status: int, media_type: str, body: bytes) -> None:
            self.send_response(status)
            if media_type:
                self.send_header("Content-Type", media_type)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are not logged: the function's own output is the log."""

    return Handler


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def main() -> None:
    """Serves the function named on the command line until SIGTERM."""
    path, name = sys.argv[1:3]
    style = sys.argv[3] if len(sys.argv) > 3 else "request"
    port = int(os.environ.get("PORT", "8080"))  # noqa: TID251 - a main program of its own
    server = _Server(("0.0.0.0", port), make_handler(in_style(style, name, load(path, name))))

    def stop(_number: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
