"""What the programs here share: an HTTP server that ends in order at SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Request(BaseHTTPRequestHandler):
    """One request; ``answer`` writes a whole response."""

    protocol_version = "HTTP/1.1"
    answering: Callable[[Request], None]

    def do_GET(self) -> None:
        self.url = urlsplit(self.path)
        type(self).answering(self)

    do_POST = do_PUT = do_DELETE = do_GET

    def query(self, name: str) -> str:
        """Return a parameter's first value, or nothing."""
        return parse_qs(self.url.query).get(name, [""])[0]

    def answer(
        self,
        body: str | bytes = "",
        *,
        status: int = 200,
        kind: str = "text/plain",
        more: Mapping[str, str] | None = None,
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def port() -> int:
    """Return the port that the platform says, or the usual one."""
    return int(os.environ.get("PORT") or 8080)


def serve(
    answering: Callable[[Request], None],
    *,
    on: int | None = None,
    at_end: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM; then requests under way have their time."""
    handler = type("Handler", (Request,), {"answering": staticmethod(answering)})
    server = ThreadingHTTPServer(("", port() if on is None else on), handler)
    server.daemon_threads = False
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.05)
    at_end()
    server.server_close()
