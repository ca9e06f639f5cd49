"""Answers ``Hello $TARGET!``.

With $DELAY it takes that many seconds for it, and says in the header ``X-Requests-In-Flight`` how
many requests it was working on at once.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(sys.path[0], ".."))

from tinyhttp import Request, Response, Server, make_lock, port

TEXT = f"Hello {os.environ.get('TARGET', 'World')}!\n".encode()
DELAY = float(os.environ.get("DELAY", "0"))
HEADERS = [("Content-Type", "text/plain; charset=utf-8")]

lock = make_lock()
in_flight = 0


def handle(_request: Request) -> Response:
    """Answers any request."""
    return Response(200, TEXT, HEADERS)


def handle_slowly(_request: Request) -> Response:
    """Answers any request after the delay."""
    global in_flight
    with lock:
        in_flight += 1
        at_once = in_flight
    time.sleep(DELAY)
    with lock:
        in_flight -= 1
    return Response(200, TEXT, [*HEADERS, ("X-Requests-In-Flight", str(at_once))])


if __name__ == "__main__":
    server = Server()
    server.listen(port())
    print(f"hello: listening on port {port()}", flush=True)
    server.serve(handle_slowly if DELAY else handle)
