"""The live page with one viewer while traffic flows: what it costs, how much it is, how soon it is.

Processor time is of all of Hearth's processes; what the same traffic costs without a viewer,
measured in between, is taken away. The viewer reads the stream through the gateway, as a browser
does.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from hearth.kube.client import KubeClient
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row
from tests.bench.services import apply_until_ready

SECONDS, RUNS, PER_SECOND = 10.0, 3, 200
PAINTS = 5
HOST = "hearth.localhost"


async def _traffic(http: aiohttp.ClientSession) -> None:
    """Requests to one Service, evenly."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        async with http.get("/", headers={"host": "page.default.localhost"}) as answer:
            await answer.read()
        due += 1 / PER_SECOND
        await asyncio.sleep(due - loop.time())


async def _spent(hearth: RunningHearth) -> tuple[float, float]:
    """Percent of a core that all processes of Hearth take, and that the page's own takes."""
    pids = hearth.pids()
    before, began = [_processor_seconds([pid]) for pid in pids.values()], time.perf_counter()
    await asyncio.sleep(SECONDS)
    took = [
        (_processor_seconds([pid]) - then) / (time.perf_counter() - began) * 100
        for pid, then in zip(pids.values(), before, strict=True)
    ]
    return sum(took), dict(zip(pids, took, strict=True))["ui"]


def _processor_seconds(pids: list[int]) -> float:
    """By the scheduler, to the nanosecond: ticks of 10 ms are too coarse for so little."""
    threads = (each for pid in pids for each in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((each / "schedstat").read_text().split()[0]) for each in threads) / 1e9


async def _cookies(hearth: RunningHearth, http: aiohttp.ClientSession) -> dict[str, str]:
    url = hearth.command("ui", "--no-browser").stdout.split()[-1]
    head = {"host": HOST, "x-hearth-page": "1"}
    async with http.post("/login", json={"code": url.partition("#")[2]}, headers=head) as answer:
        return {name: morsel.value for name, morsel in answer.cookies.items()}


@asynccontextmanager
async def _viewer(http: aiohttp.ClientSession, cookies: dict[str, str]) -> AsyncIterator[list[int]]:
    """Somebody who looks; what came, in bytes."""
    came: list[int] = []

    async def look() -> None:
        async with http.get("/api/stream", headers={"host": HOST}, cookies=cookies) as answer:
            async for line in answer.content:
                came.append(len(line))

    task = asyncio.create_task(look())
    yield came
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _bytes(http: aiohttp.ClientSession, cookies: dict[str, str]) -> float:
    """KB of the page with all that it loads, as they are sent."""

    async def sent(path: str) -> bytes:
        head = {"host": HOST, "accept-encoding": "gzip"}
        async with http.get(path, headers=head, cookies=cookies) as answer:
            answer.raise_for_status()
            content = await answer.read()
            sizes.append(len(content))
            is_zipped = "content-encoding" in answer.headers
            return gzip.decompress(content) if is_zipped else content

    sizes: list[int] = []
    found = await sent("/")
    for path in dict.fromkeys(re.findall(rb'"(/assets/[^"]+)"', found)):
        content = await sent(path.decode())
        for font in re.findall(rb'([\w-]+\.woff2)"?\)', content):
            await sent(f"/assets/{font.decode()}")
    return sum(sizes) / 1000


async def _measure(hearth: RunningHearth) -> list[Row]:
    jar = aiohttp.DummyCookieJar()
    url = f"http://127.0.0.1:{hearth.port}"
    limit = aiohttp.ClientTimeout(total=None)
    async with (
        KubeClient.from_kubeconfig(hearth.kubeconfig) as client,
        aiohttp.ClientSession(url, cookie_jar=jar, timeout=limit, auto_decompress=False) as http,
    ):
        await apply_until_ready(client, "page")
        began = time.perf_counter()
        async with http.get("/", headers={"host": HOST}) as answer:
            await answer.read()
        first = (time.perf_counter() - began) * 1000
        cookies = await _cookies(hearth, http)
        size = await _bytes(http, cookies)
        traffic = asyncio.create_task(_traffic(http))
        costs, alone, own, sent = [], [], [], []
        for _ in range(RUNS):
            await asyncio.sleep(6)  # longer than watches linger after the last viewer
            without, _ = await _spent(hearth)
            async with _viewer(http, cookies) as came:
                await asyncio.sleep(2)
                before = sum(came)
                spent, by_page = await _spent(hearth)
                sent.append((sum(came) - before) / SECONDS)
            alone.append(without)
            costs.append(spent - without)
            own.append(by_page)
        traffic.cancel()
    name = f"page: one viewer, {PER_SECOND} requests/s"
    peers = {"traffic alone": sorted(alone)[RUNS // 2]}
    return [
        row(f"{name}: processor time", costs, "% of a core", at_most=3, peers=peers),
        row(f"{name}: of that the page's own process", own, "% of a core"),
        row(f"{name}: bytes to it", sent, "B/s"),
        row("page: all files, compressed", [size], "KB", at_most=150),
        row("page: first answer, its process started for it", [first], "ms"),
    ]


def _paints(hearth: RunningHearth, chromium: str) -> list[float]:
    """Milliseconds from asking for the page to its first content, each time by a fresh browser."""
    from playwright.sync_api import sync_playwright

    found = "performance.getEntriesByName('first-contentful-paint')[0]"
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(PAINTS):
            context = browser.new_context()
            window = context.new_page()
            window.goto(hearth.command("ui", "--no-browser").stdout.split()[-1])
            window.wait_for_selector("h1:has-text('Services')")
            cookies = context.cookies()
            context.close()
            context = browser.new_context()
            context.add_cookies([{**each} for each in cookies])  # type: ignore[typeddict-item]
            window = context.new_page()
            window.goto(f"http://{HOST}:{hearth.port}/")
            window.wait_for_function(found)
            times.append(float(window.evaluate(f"{found}.startTime")))
            context.close()
        browser.close()
    return times


def rows() -> list[Row]:
    """The table's rows."""
    with RunningHearth() as hearth:
        found = asyncio.run(_measure(hearth))
        chromium = shutil.which("chromium")
        if chromium is None:
            print("page: first paint not measured, there is no chromium", file=sys.stderr)
            return found
        paints = _paints(hearth, chromium)
    return [*found, row("page: first paint, nothing in the browser yet", paints, "ms", at_most=500)]
