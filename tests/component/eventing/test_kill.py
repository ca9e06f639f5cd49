"""kill -9 of a broker process under load: nothing acknowledged is lost.

The full exercise, with more kills and numbers, is ``tests/bench/events.py``.
"""

import asyncio
import contextlib
import sys
import time
from pathlib import Path

from aiohttp import ClientSession, web

from tests.bench import events
from tests.component.eventing.test_broker import sink
from tests.waiting import until

ROOT = Path(__file__).parents[3]


async def test_nothing_acknowledged_is_lost():
    losses = await events.kill_under_load(2, seconds=0.4)
    assert losses.acknowledged > 0
    assert losses.lost == 0


KEEPER = """
import dataclasses, sys
from eventing.runtime.policy import Backoff, DeliveryPolicy
from eventing.runtime.target import parse_target
from tests.bench import broker_process as process

made = process.spec
policy = DeliveryPolicy(retries=1, backoff=Backoff.EXPONENTIAL, delay_seconds=1.5)

def spec(number, matching, dialect, url):
    asked = made(number, matching, dialect, url)
    dead = parse_target(url + "dead", None)
    return dataclasses.replace(asked, policy=policy, dead_letter=dead)

process.spec = spec
process.run(*sys.argv[1:])
"""


@contextlib.asynccontextmanager
async def broker_to(folder, url):
    """A broker process that tries twice, a second and a half apart; and its address."""
    arguments = ("-c", KEEPER, str(folder), "0", url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}/ns/default"
    finally:
        process.kill()
        await process.wait()


async def test_what_was_tried_is_known_after_a_kill(tmp_path):
    """Of two attempts one was made: after the kill there is one more, when it is due."""
    times = []

    def answer(request, number):
        if request.path == "/dead":
            return web.Response()
        times.append(time.monotonic())
        return web.Response(status=500)

    event = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "bench"}
    async with sink(answer) as target, ClientSession() as session:
        async with broker_to(tmp_path, target.url) as url:
            async with session.post(url, headers=event) as answered:
                assert answered.status == 202
            await until(lambda: b"subscriber" in (tmp_path / "broker" / "cursors").read_bytes())
        async with broker_to(tmp_path, target.url):
            await target.until(lambda: target.got[-1][0].get("ce-knativeerrorcode") == "500")
    assert len(times) == 2
    assert times[1] - times[0] >= 1.5
