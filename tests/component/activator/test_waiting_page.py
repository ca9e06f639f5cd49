"""The page that follows a start, in a real browser: it says how far things are, and moves on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from serving.api import keys
from tests.e2e.page.chromium import chromium

_MILLISECONDS = 20_000


def look(url: str, starting: Callable[[], None], ready: Callable[[], None]) -> list[str]:
    """Open the address as a person does; returns what the browser complained about."""
    complaints: list[str] = []
    with chromium() as browser:
        page = browser.new_context(color_scheme="dark").new_page()
        page.set_default_timeout(_MILLISECONDS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text))
        expect.set_options(timeout=_MILLISECONDS)
        assert page.goto(url).status == 503  # type: ignore[union-attr]
        expect(page.get_by_role("heading")).to_have_text("Starting")
        expect(page.get_by_role("status")).to_have_text(
            "This page was asleep. It opens by itself in a moment."
        )
        paint = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(paint) == "rgb(27, 25, 23)"
        page.emulate_media(color_scheme="light")
        assert page.evaluate(paint) == "rgb(250, 248, 245)"
        expect(page.locator("[aria-current]")).to_have_text("Waking up")
        starting()
        expect(page.locator("li[aria-current]")).to_have_text("Starting")
        ready()
        expect(page.locator("h2")).to_have_text("Awake")
        assert page.url == url
    return [text for text in complaints if "503" not in text]


async def test_a_person_sees_the_start_and_then_the_page_itself(lab: Any) -> None:
    page = lab.text("<h2>Awake</h2>", "Content-Type: text/html")
    app = await lab.app(lambda request: page)
    backend = lab.revision("hello", host="hello.localhost")
    rule = lab.rule("hello.localhost", {"hello": 100})
    marks = {keys.WAITING_PAGE: "true"}
    lab.ingress("hello", rule, annotations=marks, labels={keys.SERVICE: "hello"})
    loop = asyncio.get_running_loop()

    def put(state: Any) -> Callable[[], None]:
        def act() -> None:
            done = threading.Event()

            def change() -> None:
                lab.endpoints(backend, {app.port: state})
                done.set()

            loop.call_soon_threadsafe(change)
            assert done.wait(10)

        return act

    url = f"http://hello.localhost:{lab.port}/a?b=c"
    complaints = await asyncio.to_thread(look, url, put(lab.State.NOT_READY), put(lab.State.READY))
    assert complaints == []
    assert app.requests[0].target == "/a?b=c"
