"""A real browser: Debian's chromium, driven by Playwright.

Where there is none what needs it is skipped, and with ``HEARTH_REQUIRE_SERVERS=1``, as in
``.ci/run``, it fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_FLAGS = (
    "--no-sandbox",  # chromium's own does not work as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        why = "there is no chromium: the live page was not looked at"
        if os.environ.get("HEARTH_REQUIRE_SERVERS"):
            pytest.fail(f"{why}, and HEARTH_REQUIRE_SERVERS is set")
        pytest.skip(why)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()
