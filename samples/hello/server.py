"""Answers ``Hello $TARGET!``; takes $DELAY seconds for it."""

import os
import sys
import time

sys.path.insert(0, os.path.join(sys.path[0], ".."))

from tinyhttp import Response, Server, port

TEXT = f"Hello {os.environ.get('TARGET', 'World')}!\n".encode()
DELAY = float(os.environ.get("DELAY", "0"))
HEADERS = (("Content-Type", "text/plain; charset=utf-8"),)


def handle(request):
    if DELAY:
        time.sleep(DELAY)
    return Response(200, TEXT, HEADERS)


if __name__ == "__main__":
    server = Server()
    server.listen(port())
    print(f"hello: listening on port {port()}", flush=True)
    server.serve(handle)
