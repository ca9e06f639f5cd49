"""A small HTTP/1.1 server for the samples, made to start fast.

It takes the C modules below ``socket``, ``threading`` and ``signal``: importing those three costs
more (12 ms) than starting Python itself (8 ms), and a service that wakes on a request makes
somebody wait for it. A service of your own may use any framework; it has only to listen on $PORT.

One thread a connection, keep-alive, Content-Length and chunked bodies, ``Expect: 100-continue``.
On SIGTERM it stops accepting, finishes what it has begun, and exits with code 0.
"""

import _signal as signal  # type: ignore[import-not-found]
import _socket as socket
import _thread as thread
import os
import sys
import time

TYPE_CHECKING = False  # importing it from typing would cost more than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    Handler = Callable[["Request"], "Response"]

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024
DRAIN_SECONDS = 20.0
REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found",
           413: "Content Too Large", 417: "Expectation Failed",
           431: "Request Header Fields Too Large", 500: "Internal Server Error",
           501: "Not Implemented", 503: "Service Unavailable"}  # fmt: skip


class Request:
    """One request, its body read."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path = target.partition("?")[0]
        self.headers = headers  # lower-case names
        self.body = body


class Response:
    """What to answer; Content-Length is added."""

    def __init__(
        self, status: int, body: bytes = b"", headers: "Sequence[tuple[str, str]]" = ()
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers


class Refused(Exception):
    """The request cannot be understood: answer with this status and close."""

    def __init__(self, status: int) -> None:
        self.status = status


class Closed(Exception):
    """The client has gone."""


class Stopped(BaseException):
    """SIGTERM."""


class Connection:
    """Reads requests from one socket and writes responses."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.data = b""

    def fill(self) -> None:
        """Waits for more bytes; raises Closed when none will come."""
        chunk = self.sock.recv(65536)
        if not chunk:
            raise Closed
        self.data += chunk

    def until(self, mark: bytes, limit: int, too_much: int) -> bytes:
        """Takes what comes before a mark; Refused with status ``too_much`` beyond the limit."""
        while (end := self.data.find(mark)) < 0:
            if len(self.data) > limit:
                raise Refused(too_much)
            self.fill()
        if end > limit:
            raise Refused(too_much)
        taken, self.data = self.data[:end], self.data[end + len(mark) :]
        return taken

    def exactly(self, size: int) -> bytes:
        """Takes that many bytes."""
        parts, missing = [self.data[:size]], size - len(self.data)
        self.data = self.data[size:]
        while missing > 0:
            chunk = self.sock.recv(min(missing, 1 << 20))
            if not chunk:
                raise Closed
            parts.append(chunk)
            missing -= len(chunk)
        return b"".join(parts)

    def request(self) -> tuple[Request, bool]:
        """Reads the next request; and says whether the connection may be kept."""
        head = self.until(b"\r\n\r\n", MAX_HEAD, 431).decode("latin-1").lstrip("\r\n")
        line, *fields = head.split("\r\n")
        try:
            method, target, version = line.split(" ")
        except ValueError:
            raise Refused(400) from None
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise Refused(400)
        headers = self.headers(fields)
        if version == "HTTP/1.1" and "host" not in headers:
            raise Refused(400)
        body = self.body(headers)
        connection = headers.get("connection", "").lower()
        keep = "close" not in connection if version == "HTTP/1.1" else "keep-alive" in connection
        return Request(method, target, headers, body), keep

    @staticmethod
    def headers(fields: list[str]) -> dict[str, str]:
        """Parses header lines; names come in lower case, repeated ones joined by commas."""
        headers: dict[str, str] = {}
        for field in fields:
            name, colon, value = field.partition(":")
            if not colon or not name or name != name.strip() or "\n" in field or "\r" in field:
                raise Refused(400)
            name, value = name.lower(), value.strip(" \t")
            if name == "content-length" and headers.get(name, value) != value:
                raise Refused(400)
            known = headers.get(name)
            headers[name] = (
                value if known is None or name == "content-length" else f"{known}, {value}"
            )
        return headers

    def body(self, headers: dict[str, str]) -> bytes:
        """Reads the body that the headers announce."""
        coding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        if coding is not None and length is not None:
            raise Refused(400)
        if coding is None and length is None:
            return b""
        if length is not None and not (length.isascii() and length.isdigit()):
            raise Refused(400)
        if length is not None and int(length) > MAX_BODY:
            raise Refused(413)
        if headers.get("expect", "").lower() == "100-continue" and not self.data:
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if length is not None:
            return self.exactly(int(length))
        if coding is None or coding.lower() != "chunked":
            raise Refused(501)
        return self.chunks()

    def chunks(self) -> bytes:
        """Reads a chunked body and passes over its trailers."""
        body = b""
        while True:
            size_text = self.until(b"\r\n", 4096, 400).partition(b";")[0].strip()
            try:
                size = int(size_text, 16)
            except ValueError:
                raise Refused(400) from None
            if size < 0 or len(body) + size > MAX_BODY:
                raise Refused(413)
            if size == 0:
                while self.until(b"\r\n", MAX_HEAD, 431):
                    pass  # trailers
                return body
            body += self.exactly(size)
            if self.exactly(2) != b"\r\n":
                raise Refused(400)

    def respond(self, response: Response, *, keep: bool, with_body: bool = True) -> None:
        """Writes a response; without its body where the request was a HEAD."""
        lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines.append(f"Content-Length: {len(response.body)}")
        if not keep:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"
        self.sock.sendall(head + response.body if with_body else head)


class Server:
    """``listen`` first: requests wait in the kernel until ``serve``."""

    def __init__(self) -> None:
        self.busy = 0
        self.lock = make_lock()
        self.is_stopping = False
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    def listen(self, port: int) -> None:
        """Takes connections from here on, without answering them yet."""
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("0.0.0.0", port))
        self.listener.listen(1024)

    def serve(self, handle: "Handler") -> None:
        """Answers requests by the handler until SIGTERM."""
        thread.stack_size(256 * 1024)
        signal.signal(signal.SIGTERM, self.on_signal)
        signal.signal(signal.SIGINT, self.on_signal)
        try:
            while True:
                fd, _ = self.listener._accept()  # type: ignore[attr-defined]
                thread.start_new_thread(self.converse, (fd, handle))
        except Stopped:
            self.drain()

    def on_signal(self, _number: int, _frame: "FrameType | None") -> None:
        """Breaks out of waiting for connections, once."""
        if not self.is_stopping:
            self.is_stopping = True
            raise Stopped

    def drain(self) -> None:
        """Takes no connection any more and waits for the requests under way."""
        self.listener.close()
        until = time.monotonic() + DRAIN_SECONDS
        while self.busy and time.monotonic() < until:
            time.sleep(0.01)

    def converse(self, fd: int, handle: "Handler") -> None:
        """Answers the requests of one connection, in a thread of its own."""
        sock = socket.socket(fileno=fd)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        try:
            while self.exchange(connection, handle):
                pass
        except (Closed, OSError):
            pass
        finally:
            sock.close()

    def exchange(self, connection: Connection, handle: "Handler") -> bool:
        """Answers one request; False when the connection is to be closed."""
        try:
            if not connection.data:
                connection.fill()
        except Closed:
            return False
        with self.lock:
            self.busy += 1
        try:
            try:
                request, keep = connection.request()
            except Refused as refused:
                connection.respond(Response(refused.status), keep=False)
                return False
            keep = keep and not self.is_stopping
            response = answer(handle, request)
            connection.respond(response, keep=keep, with_body=request.method != "HEAD")
            return keep
        finally:
            with self.lock:
                self.busy -= 1


def answer(handle: "Handler", request: Request) -> Response:
    """Calls the handler; its exception is a 500 and a line in the log."""
    try:
        return handle(request)
    except Exception as error:
        print(f"{request.method} {request.path} failed: {error!r}", file=sys.stderr, flush=True)
        return Response(500, b"internal error\n")


def make_lock() -> thread.LockType:
    """Makes a lock for what the threads of a service share."""
    return thread.allocate_lock()


def port() -> int:
    """Returns where to listen: $PORT."""
    return int(os.environ.get("PORT", "8080"))
