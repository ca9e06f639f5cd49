"""Tells the protocol of each request: HTTP/1.1, or HTTP/2 without TLS by prior knowledge."""

from __future__ import annotations

import os
import socket
import socketserver

import h2.config
import h2.connection
import h2.events
from serve import port

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def said(protocol: str, method: str, path: str) -> bytes:
    if path == "/healthz":
        return b"OK\n"
    usual = f"proto={protocol} method={method} path={path}\n"
    return os.environ.get("RESPONSE", usual).encode()


class Connection(socketserver.BaseRequestHandler):
    request: socket.socket

    def handle(self) -> None:
        try:
            start = self.request.recv(65536)
            while start and len(start) < len(PREFACE) and PREFACE.startswith(start):
                start += self.request.recv(65536)
            (self.two if start.startswith(PREFACE) else self.one)(start)
        except OSError:
            pass  # The client is gone.

    def one(self, data: bytes) -> None:
        while data:
            while b"\r\n\r\n" not in data:
                more = self.request.recv(65536)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            method, target, version = head.split(b"\r\n")[0].decode().split(" ")
            body = said(version, method, target.partition("?")[0])
            self.request.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            data = data or self.request.recv(65536)

    def two(self, data: bytes) -> None:
        codec = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        codec.initiate_connection()
        while data:
            for event in codec.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    fields = dict(event.headers)
                    path = fields[b":path"].decode().partition("?")[0]
                    body = said("HTTP/2.0", fields[b":method"].decode(), path)
                    codec.send_headers(event.stream_id, [(":status", "200")])
                    codec.send_data(event.stream_id, body, end_stream=True)
            self.request.sendall(codec.data_to_send())
            data = self.request.recv(65536)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("", port()), Connection).serve_forever()
