"""Answers with what the container beside it says, at ``FORWARD_PORT``."""

import os
import urllib.request

from serve import Request, serve

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answer(request: Request) -> None:
    with direct.open(f"http://localhost:{os.environ['FORWARD_PORT']}") as said:
        request.answer(said.read() + b"\n")


serve(answer)
