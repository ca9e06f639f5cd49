"""Becomes ready and healthy late, and unhealthy when it is told to; as ``probe`` it asks itself.

``READY_DELAY`` and ``LISTEN_DELAY`` are durations such as ``5s``. With ``HEALTHCHECK_PORT`` probes
are answered there, at /readiness and /liveness, else below /healthz.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import urllib.error
import urllib.request

from serve import Request, port, serve

HELLO = "Hello World! How about some tasty noodles?"
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def delay(name: str) -> float:
    return float(os.environ.get(name, "0s").removesuffix("s"))


class State:
    healthy_at = 0.0
    asked = 0


def probe(request: Request, kind: str) -> None:
    if time.monotonic() < State.healthy_at:
        request.answer("not healthy\n", status=500)
    elif kind == "readiness":
        request.answer(HELLO)
    elif kind == "liveness":
        State.asked += 1
        request.answer(str(State.asked))


def answer(request: Request) -> None:
    path = request.url.path
    if path == "/start-failing":
        State.healthy_at = float("inf")
        request.answer("will now fail readiness")
    elif path == "/start-failing-sidecar":
        direct.open(f"http://localhost:{os.environ['FORWARD_PORT']}/start-failing").close()
        request.answer()
    elif path == "/healthz/livenessCounter":
        request.answer(str(State.asked))
    elif path.startswith("/healthz/") and not os.environ.get("HEALTHCHECK_PORT"):
        probe(request, path.removeprefix("/healthz/"))
    elif path == "/query" and request.query("probe") != "ok":
        request.answer("no query\n", status=500)
    else:
        request.answer(HELLO)


def ask_yourself() -> int:
    try:
        with direct.open(f"http://localhost:{port()}/healthz/readiness") as said:
            return int(said.status > 299)
    except urllib.error.URLError:
        return 1


if sys.argv[1:] == ["probe"]:
    sys.exit(ask_yourself())
State.healthy_at = time.monotonic() + delay("READY_DELAY")
time.sleep(delay("LISTEN_DELAY"))
if at := os.environ.get("HEALTHCHECK_PORT"):
    from http.server import ThreadingHTTPServer

    handler = type(
        "Probes",
        (Request,),
        {"answering": staticmethod(lambda request: probe(request, request.url.path.strip("/")))},
    )
    probes = ThreadingHTTPServer(("", int(at)), handler)
    threading.Thread(target=probes.serve_forever, daemon=True).start()
serve(answer)
