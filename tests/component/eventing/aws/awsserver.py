"""A server that answers as AWS does (moto), an adapter against it, and a sink that one can tell."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from aiohttp import web
from moto.server import ThreadedMotoServer

from eventing.aws.clients import client_of
from eventing.sources.integration.main import run
from tests.waiting import until

REGION = "us-east-1"


@contextlib.contextmanager
def aws_server() -> Iterator[str]:
    """Yields its address; it begins with nothing in it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        with urlopen(Request(f"{url}/moto-api/reset", method="POST"), timeout=60) as answer:
            assert answer.status == 200
        yield url
    finally:
        server.stop()


def at(url: str, **spec: Any) -> dict[str, Any]:
    """A service's part of a spec, as the API server completes it, with this server."""
    return {"region": REGION, "overrideEndpoint": True, "uriEndpointOverride": url, **spec}


@contextlib.asynccontextmanager
async def client(url: str, service: str) -> AsyncIterator[Any]:
    from eventing.api.integration import S3

    async with client_of(service, S3.model_validate(at(url, forcePathStyle=True))) as found:
        yield found


@dataclass
class Sink:
    """Takes events; ``status`` says with what each is answered."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: Callable[[bytes], int] = lambda body: 202
    held: asyncio.Event | None = None
    """While it is there and not set, nothing is answered."""

    def ids(self) -> list[str]:
        return [headers["ce-id"] for headers, _ in self.got]

    def bodies(self) -> list[bytes]:
        return [body for _, body in self.got]

    async def until(self, count: int) -> None:
        await until(lambda: len(self.got) >= count)


@contextlib.asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    found = Sink()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        found.got.append(({k.lower(): v for k, v in request.headers.items()}, body))
        if found.held is not None:
            await found.held.wait()
        return web.Response(status=found.status(body))

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield found
    finally:
        if found.held is not None:
            found.held.set()
        await runner.cleanup()


def environment(to: Sink, **aws: Any) -> dict[str, str]:
    config = json.dumps({"aws": aws})
    return {"K_SINK": to.url, "K_SOURCE_CONFIG": config, "POD_NAMESPACE": "default"}


@contextlib.asynccontextmanager
async def adapter(
    to: Sink, *, kubeconfig: Path | None = None, **aws: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """The adapter of an IntegrationSource, once it is ready."""
    ready = asyncio.Event()
    task = asyncio.create_task(run(ready.set, environment(to, **aws), kubeconfig=kubeconfig))
    try:
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        waiting.cancel()
        if task.done():
            await task
        assert ready.is_set()
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


_PROGRAM = """
import asyncio, sys
from pathlib import Path
from eventing.sources.integration.main import run
kubeconfig = Path(sys.argv[1]) if len(sys.argv) > 1 else None
asyncio.run(run(lambda: None, kubeconfig=kubeconfig))
"""


@contextlib.asynccontextmanager
async def process(
    to: Sink, *, kubeconfig: Path | None = None, **aws: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The adapter as a process, which is killed at the end."""
    made = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROGRAM,
        *([] if kubeconfig is None else [str(kubeconfig)]),
        env={**os.environ, **environment(to, **aws)},
        cwd=Path(__file__).parents[4],
    )
    try:
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            made.send_signal(signal.SIGKILL)
        await made.wait()
