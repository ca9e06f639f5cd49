"""Sends and receives for the conformance suite, from inside the cluster. Python alone, one file.

Receiver: what is sent to ``/in/BOX`` is kept as it came, and answered as the box says.

=========================  ==================================================================
request                    does
=========================  ==================================================================
``PUT /boxes/BOX``         sets the answers: ``{"POST": [ANSWER, ...], "OPTIONS": [...]}``; a
                           request gets the next one of its method, the last one is repeated;
                           a method that is not named is answered with 202
``GET /boxes/BOX?from=N``  what has come since the Nth: ``[{method, target, headers, body, at}]``,
                           body in base64
``POST /send``             sends ``{url, method, headers, body, timeout}`` from here; answers
                           ``{status, headers, body}``, or ``{error}``
``GET /``                  200
=========================  ==================================================================

An ANSWER is ``{"status", "headers", "body", "delay", "raw", "cut"}``, all optional: ``delay`` in
seconds before it begins, ``raw`` the bytes to write instead of an HTTP answer, ``cut`` the number
of bytes of the body after which the connection is dropped.
Everything that arrives is also printed, a JSON line each, so that a pod's log has it.
"""

from __future__ import annotations

import base64
import http.client
import http.server
import json
import os
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from typing import Any

JSON = "application/json"


class Box:
    """One address: what came to it, and what it answers next."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self._answers: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def program(self, answers: dict[str, list[dict[str, Any]]]) -> None:
        with self._lock:
            self._answers = {method: list(each) for method, each in answers.items()}

    def take(self, record: dict[str, Any]) -> dict[str, Any]:
        """Keeps a request and returns the answer that it gets."""
        with self._lock:
            self.received.append(record)
            waiting = self._answers.get(record["method"], [])
            if not waiting:
                return {"status": 202}
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]


class Hub:
    """All boxes; they come into being when they are first named."""

    def __init__(self) -> None:
        self._boxes: dict[str, Box] = {}
        self._lock = threading.Lock()

    def box(self, name: str) -> Box:
        with self._lock:
            return self._boxes.setdefault(name, Box())


HUB = Hub()


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def _answer_any(self) -> None:
        body = self._read_body()
        path = urllib.parse.urlsplit(self.path).path
        first, _, name = path.lstrip("/").partition("/")
        if first == "in" and name:
            self._receive(name.split("/")[0], body)
        elif first == "boxes" and self.command == "PUT":
            HUB.box(name).program(json.loads(body))
            self._json({})
        elif first == "boxes":
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            since = int(query.get("from", ["0"])[0])
            self._json(HUB.box(name).received[since:])
        elif first == "send" and self.command == "POST":
            self._json(send(json.loads(body)))
        else:
            self._json({"hub": "ready"})

    do_GET = do_POST = do_PUT = do_OPTIONS = do_DELETE = do_PATCH = do_HEAD = _answer_any

    def _read_body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._read_chunks()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _read_chunks(self) -> bytes:
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _receive(self, name: str, body: bytes) -> None:
        record = {
            "method": self.command,
            "target": self.path,
            "headers": self.headers.items(),
            "body": base64.b64encode(body).decode(),
            "at": time.monotonic(),
        }
        answer = HUB.box(name).take(record)
        print(json.dumps({"box": name, **record}), flush=True)
        time.sleep(answer.get("delay", 0))
        raw = answer.get("raw")
        if raw is not None:
            self.wfile.write(base64.b64decode(raw))
            self.close_connection = True
            return
        self._write(answer)

    def _write(self, answer: dict[str, Any]) -> None:
        status = answer.get("status", 200)
        body = base64.b64decode(answer.get("body", ""))
        self.send_response_only(status, http.client.responses.get(status, "Status"))
        for name, value in answer.get("headers", []):
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = answer.get("cut")
        if self.command != "HEAD":
            self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True

    def _json(self, value: Any) -> None:
        body = base64.b64encode(json.dumps(value).encode()).decode()
        self._write({"status": 200, "headers": [["Content-Type", JSON]], "body": body})

    def log_message(self, format: str, *args: object) -> None:
        """Requests are printed as JSON; nothing else is."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def send(order: dict[str, Any]) -> dict[str, Any]:
    """Sends one request, written byte for byte as ordered; headers may be no valid HTTP."""
    parts = urllib.parse.urlsplit(order["url"])
    body = base64.b64decode(order.get("body", ""))
    try:
        connection, target = _connect(parts, order.get("timeout", 30))
    except OSError as error:
        return {"error": f"cannot connect: {error}"}
    lines = [f"{order.get('method', 'POST')} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in order.get("headers", [])]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    with connection:
        try:
            connection.sendall("\r\n".join(lines).encode("latin-1") + body)
            response = http.client.HTTPResponse(connection, method=order.get("method", "POST"))
            response.begin()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            return {"error": f"no answer: {error!r}"}
    return {
        "status": response.status,
        "headers": response.getheaders(),
        "body": base64.b64encode(content).decode(),
    }


def _connect(parts: urllib.parse.SplitResult, timeout: float) -> tuple[socket.socket, str]:
    """A connection for a URL, by the proxy of the environment if need be, and what to ask for."""
    host = parts.hostname or ""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and parts.scheme == "http" and not urllib.request.proxy_bypass(host):
        via = urllib.parse.urlsplit(proxy)
        address = (via.hostname or "", via.port or 80)
        return socket.create_connection(address, timeout), f"http://{parts.netloc}{target}"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = socket.create_connection((host, port), timeout)
    if parts.scheme == "https":
        # The suite is about events; whose certificate it is, is not asked.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(connection, server_hostname=host)
    return connection, target


def main() -> None:
    port = int(os.environ.get("PORT", "8080"))
    server = Server(("", port), Handler)
    print(json.dumps({"listening": port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
