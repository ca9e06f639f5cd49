"""Writes a file into ``DATA_PATH``, and serves it; either may be left out."""

import os
import sys
from pathlib import Path

from serve import Request, serve

FILE = Path(os.environ.get("DATA_PATH", "/data")) / "testfile"


def skipped(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "t", "true")


def answer(request: Request) -> None:
    try:
        request.answer(FILE.read_bytes())
    except OSError as error:
        request.answer(f"{error}\n", status=500)


if not skipped("SKIP_DATA_WRITE"):
    FILE.write_text("From file in empty dir!")
if skipped("SKIP_DATA_SERVE"):
    sys.exit()
serve(answer)
