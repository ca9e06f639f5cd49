"""Answers with the file that the path names, below the folder of a volume."""

import os
from pathlib import Path

from serve import Request, serve

FILE = Path(os.environ.get("HELLO_PATH", "/hello/world"))


def answer(request: Request) -> None:
    wanted = os.path.normpath(f"{FILE.parent}/{request.url.path}")
    path = FILE if wanted == str(FILE.parent) else Path(wanted)
    if not path.is_relative_to(FILE.parent):
        request.answer("there is no escape\n", status=400)
        return
    try:
        request.answer(path.read_text() + "\n")
    except OSError as error:
        request.answer(f"{error}\n", status=500)


serve(answer)
