"""The board: a page that shows orders as they arrive and are made, and a form to order.

The Broker's events come by POST; each is in the journal in $DATA before it is answered.
``GET /`` is the page, ``GET /events`` what happens, as server-sent events: first ``state`` (counts
and orders), then ``order`` for each change. ``GET /state`` is the same once, ``GET /queue`` the
counts, which a ScaledObject reads. ``POST /orders`` and ``/coffees`` go on to $COUNTER.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from journal import Board
from sending import NotTaken, post

HERE = Path(__file__).resolve().parent
COUNTER = os.environ.get("COUNTER", "")
MAX_BODY = 1 << 20


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    board: Board

    def log_message(self, *_: object) -> None:
        """Says nothing of each request."""

    def do_GET(self) -> None:
        """The page, what happens, what is."""
        match self.path:
            case "/":
                self._answer(200, (HERE / "page.html").read_bytes(), "text/html; charset=utf-8")
            case "/events":
                self._stream()
            case "/state":
                self._answer(200, self.board.state()[1].encode())
            case "/queue":
                self._json(200, self.board.counts())
            case _:
                self._json(404, {"error": "there are /, /events, /state and /queue"})

    def do_POST(self) -> None:
        """An event of the Broker, or an order from the page."""
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._json(413, {"error": f"a body of at most {MAX_BODY} bytes, with its length"})
            return
        body = self.rfile.read(int(length))
        try:
            data = json.loads(body)
        except ValueError as error:
            self._json(400, {"error": f"not JSON: {error}"})
            return
        if self.path in ("/orders", "/coffees"):
            self._order(data)
        elif "ce-type" in self.headers and isinstance(data, dict):
            self.board.take(self.headers["ce-type"], data)
            self._answer(202)
        else:
            self._json(400, {"error": "neither a CloudEvent nor an order: POST /orders"})

    def _order(self, data: Any) -> None:
        try:
            status, answer = post(COUNTER + self.path, data, {}, tries=1)
        except NotTaken as error:
            status, answer = 502, {"error": str(error)}
        self._json(status, answer)

    def _stream(self) -> None:
        self.close_connection = True
        self.send_response(200)
        for name, value in (
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        try:
            for text in self.board.stream():
                self.wfile.write(text.encode())
        except OSError:
            pass  # the page was closed

    def _json(self, status: int, data: Any) -> None:
        self._answer(status, json.dumps(data).encode() + b"\n")

    def _answer(self, status: int, body: bytes = b"", kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A thread for each connection; those of open pages do not hold up the end."""

    daemon_threads = True
    request_queue_size = 1024


if __name__ == "__main__":
    folder = Path(os.environ.get("DATA", "."))
    Handler.board = Board(folder)
    server = Server(("", int(os.environ.get("PORT", "8080"))), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"the board: {Handler.board.counts()}", flush=True)
    server.serve_forever()
