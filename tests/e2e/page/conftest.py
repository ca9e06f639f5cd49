"""One Hearth, one browser and one session for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page.chromium import chromium
from tests.e2e.page.world import World, flowing, prepare
from tests.e2e.support import Hearth

expect.set_options(timeout=20_000)  # figures come rarer while the machine is busy


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def world(browser: Browser, hearth: Hearth) -> Iterator[World]:
    prepare(hearth)
    with flowing(hearth, "hello"):
        yield World(hearth, browser)


@pytest.fixture(scope="module")
def window(world: World) -> Page:
    """A page with a writer's session, that stays open."""
    return world.entered()


@pytest.fixture
def page(world: World, window: Page) -> Page:
    """The same, on its first screen."""
    window.goto(f"{world.base}#/")
    window.wait_for_selector("h1")
    return window
