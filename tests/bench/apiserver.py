"""The API server: reads and writes per second, watch fan-out, big lists beside other requests."""

from __future__ import annotations

import asyncio
import base64
import re
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.kubeconfig import access_of
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS, SECRETS, Resource
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, percentile, row

RUNS = 5
_SECONDS = 4
_WATCHERS, _EVENTS = 50, 40
_OBJECTS, _PAGE = 10_000, 500
_PATH = "/api/v1/namespaces/default/configmaps"
_CREATE = """
local id = 0
function setup(thread) id = id + 1; thread:set("tid", id) end
local n = 0
request = function()
  n = n + 1
  local name = string.format("w%s-%d-%d", tid, n, RUN)
  local body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"' .. name ..
    '"},"data":{"a":"' .. string.rep("x", 200) .. '"}}'
  return wrk.format("POST", nil, nil, body)
end
"""


def an_object(resource: Resource, name: str) -> Object:
    metadata = {"name": name, "namespace": "default"}
    text = base64.b64encode(b"x" * 150).decode()
    return {
        "apiVersion": "v1",
        "kind": resource.kind,
        "metadata": metadata,
        "data": {"a": text},
    }


def _wrk(access: Access, path: str, *extra: str) -> float:
    """Requests per second that were answered with 2xx."""
    command = ["wrk", "-t1", "-c16", f"-d{_SECONDS}s", *extra]
    headers = [
        "-H",
        f"Authorization: Bearer {access.token}",
        "-H",
        "Content-Type: application/json",
    ]
    done = subprocess.run(
        [*command, *headers, access.server + path], capture_output=True, text=True, check=True
    )
    total = int(re.search(r"(\d+) requests in", done.stdout)[1])  # type: ignore[index]
    seconds = float(re.search(r"requests in ([\d.]+)s", done.stdout)[1])  # type: ignore[index]
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    return (total - (int(failed[1]) if failed else 0)) / seconds


async def _seed(
    kubeconfig: Path, count: int, prefix: str, *, resource: Resource = CONFIGMAPS
) -> None:
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        gate = asyncio.Semaphore(32)

        async def create(number: int) -> None:
            async with gate:
                await client.create(resource, an_object(resource, f"{prefix}-{number}"))

        await asyncio.gather(*(create(n) for n in range(count)))


async def _fan_out(kubeconfig: Path) -> float:
    """95th percentile of the time from a write's start until each watcher saw it, in ms."""
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        page = await client.request("GET", CONFIGMAPS.path("default"), query={"limit": "1"})
        version = str(page["metadata"]["resourceVersion"])
        sent: dict[str, float] = {}
        delays: list[float] = []

        async def watcher() -> None:
            seen = 0
            async for event in client.watch(CONFIGMAPS, "default", resource_version=version):
                began = sent.get(event.object["metadata"]["name"])
                if began is not None and event.type == "ADDED":
                    delays.append(time.perf_counter() - began)
                    seen += 1
                    if seen == _EVENTS:
                        return

        watchers = [asyncio.create_task(watcher()) for _ in range(_WATCHERS)]
        await asyncio.sleep(0.5)
        for number in range(_EVENTS):
            name = f"fan-{version}-{number}"
            sent[name] = time.perf_counter()
            await client.create(CONFIGMAPS, an_object(CONFIGMAPS, name))
            await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            await asyncio.gather(*watchers)
        return percentile(delays, 0.95) * 1000


async def _list_all(kubeconfig: Path) -> int:
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        items, _ = await client.list(SECRETS, "default", limit=_PAGE)
        return len(items)


def _listing(kubeconfig: Path) -> int:
    return asyncio.run(_list_all(kubeconfig))


async def _stall(kubeconfig: Path, pool: ProcessPoolExecutor) -> float:
    """Longest single get, in ms, while another process lists 10,000 objects in pages."""
    loop = asyncio.get_running_loop()
    async with KubeClient.from_kubeconfig(kubeconfig) as client:
        listing = loop.run_in_executor(pool, _listing, kubeconfig)
        longest = 0.0
        while not listing.done():
            began = time.perf_counter()
            await client.get(SECRETS, "many-0", "default")
            longest = max(longest, time.perf_counter() - began)
            await asyncio.sleep(0.001)
        if await listing < _OBJECTS:
            raise RuntimeError(f"only {await listing} objects were listed")
        return longest * 1000


def rows() -> list[Row]:
    with RunningHearth() as hearth, tempfile.TemporaryDirectory() as folder:
        access = access_of(hearth.kubeconfig)
        asyncio.run(_seed(hearth.kubeconfig, 1, "one"))
        gets = [_wrk(access, f"{_PATH}/one-0") for _ in range(RUNS)]
        creates = []
        for number in range(RUNS):
            script = Path(folder) / f"create{number}.lua"
            script.write_text(f"RUN = {number}\nwrk.method = 'POST'\n" + _CREATE)
            creates.append(_wrk(access, _PATH, "-s", str(script)))
        fan_out = [asyncio.run(_fan_out(hearth.kubeconfig)) for _ in range(RUNS)]
        asyncio.run(_seed(hearth.kubeconfig, _OBJECTS, "many", resource=SECRETS))
        with ProcessPoolExecutor(1) as pool:
            stalls = [asyncio.run(_stall(hearth.kubeconfig, pool)) for _ in range(RUNS)]
    return [
        row("API server: gets", gets, "/s", at_least=2000),
        row("API server: creates, on disk", creates, "/s", at_least=500),
        row(f"watch event at {_WATCHERS} watchers, p95", fan_out, "ms", at_most=20),
        row("longest get while 10,000 objects are listed in pages", stalls, "ms", at_most=50),
    ]
