"""Says ``Hello $TARGET!`` after $DELAY seconds, and how many requests it had at once."""

import os
import threading
import time

from serve import Request, serve

DELAY = float(os.environ.get("DELAY") or 0)
lock = threading.Lock()
in_flight = 0


def answer(request: Request) -> None:
    global in_flight
    with lock:
        in_flight += 1
        at_once = in_flight
    time.sleep(DELAY)
    with lock:
        in_flight -= 1
    text = f"Hello {os.environ.get('TARGET') or 'World'}!\n"
    request.answer(text, more={"X-Requests-In-Flight": str(at_once)})


serve(answer)
