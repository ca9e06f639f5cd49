"""Sends each request on to ``TARGET_HOST``, by way of ``GATEWAY_HOST`` where that is set."""

from __future__ import annotations

import http.client
import os
import ssl
import sys
from base64 import b64encode
from urllib.parse import urlsplit

from serve import Request, serve

TARGET = os.environ.get("TARGET_HOST", "")
if not TARGET:
    sys.exit('No value for env var "TARGET_HOST" provided.')
ROUTED = os.environ.get("GATEWAY_HOST") or TARGET
AUTHORITY = os.environ.get("CA_CERT")
PROXY = urlsplit(os.environ.get("http_proxy", ""))
"""Names inside of the cluster may be reached by a proxy, as every HTTP client knows it."""
OF_ONE_HOP = {"host", "connection", "transfer-encoding", "content-length", "keep-alive"}


def connect() -> http.client.HTTPConnection:
    if AUTHORITY:
        return http.client.HTTPSConnection(
            ROUTED, context=ssl.create_default_context(cadata=AUTHORITY), timeout=60
        )
    return http.client.HTTPConnection(PROXY.netloc.rpartition("@")[2] or ROUTED, timeout=60)


def answer(request: Request) -> None:
    headers = {k: v for k, v in request.headers.items() if k.lower() not in OF_ONE_HOP}
    body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
    target = request.path
    if PROXY.netloc and not AUTHORITY:
        target = f"http://{ROUTED}{request.path}"
        if who := PROXY.netloc.rpartition("@")[0]:
            headers["Proxy-Authorization"] = "Basic " + b64encode(who.encode()).decode()
    connection = connect()
    try:
        connection.request(request.command, target, body, headers | {"Host": TARGET})
        response = connection.getresponse()
        data = response.read()
    except OSError as error:
        request.answer(f"{error}\n", status=502)
        return
    finally:
        connection.close()
    request.send_response(response.status)
    for name, value in response.getheaders():
        if name.lower() not in OF_ONE_HOP | {"date", "server"}:
            request.send_header(name, value)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    request.wfile.write(data)


serve(answer)
