"""Answers 500 to a request that comes while another one is under way."""

import threading
import time

from serve import Request, serve

busy = threading.Lock()


def answer(request: Request) -> None:
    if not busy.acquire(blocking=False):
        request.answer(status=500)
        return
    try:
        time.sleep(0.5)
    finally:
        busy.release()
    request.answer("One at a time")


serve(answer)
