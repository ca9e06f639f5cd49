"""Is ready, live and started as files below /etc/config say: of its Service, its pod, ... ."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from serve import Request, serve

CONFIG = Path(os.environ.get("CONFIG_PATH", "/etc/config"))
NAMES = [os.environ.get(f"K_{each}", "") for each in ("SERVICE", "CONFIGURATION", "REVISION")]
NAMES.append(os.environ.get("POD_NAME") or os.environ.get("HOSTNAME", ""))


def states() -> set[str]:
    """Return what the most particular file says."""
    found: set[str] = set()
    for name in filter(None, NAMES):
        if (CONFIG / name).is_file():
            found = set((CONFIG / name).read_text().strip().split(","))
    return found


now = states()


def follow() -> None:
    global now
    while True:
        now = states()
        if "fail" in now:
            print("you want me to fail", flush=True)
            os._exit(1)
        time.sleep(float(os.environ.get("PERIOD", "5")))


def answer(request: Request) -> None:
    _, _, probe = request.url.path.partition("/healthz/")
    if probe:
        request.answer(status=200 if probe in now else 503)
    else:
        request.answer(f"Hello {os.environ.get('NAME', '')}! How about some tasty noodles?")


threading.Thread(target=follow, daemon=True).start()
serve(answer)
