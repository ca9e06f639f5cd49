"""The tables of malformed messages on real sockets: one answer, the end, and nothing reaches a pod.

Requests that came before in the same bytes are answered first.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.activator.http.h1.malformed import HEADS, NO_HOSTS, Case
from tests.unit.activator.http.h1.malformed_bodies import BODIES
from tests.unit.activator.http.h1.malformed_responses import RESPONSES, Bad

REQUESTS = [*HEADS, *NO_HOSTS, *BODIES]


@pytest.mark.parametrize("is_cut", [False, True], ids=["at-once", "in-two"])
@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
async def test_it_is_refused_and_the_connection_closed(lab: Any, case: Case, is_cut: bool) -> None:
    app = await lab.app()
    backend = lab.revision("hello", app, host="a.test")
    client = await lab.connect()
    if is_cut:
        half = len(case.data) // 2
        await client.send(case.data[:half])
        await asyncio.sleep(0)
        await client.send(case.data[half:])
    else:
        await client.send(case.data)
    for _ in range(case.whole):
        assert (await client.response()).body == b"hello"
    refused = await client.response()
    assert (refused.status, refused.header("connection")) == (case.status, "close")
    assert refused.error is not None
    assert await client.rest() == b""
    assert len(app.requests) == case.whole
    assert [request for request in app.requests if "hidden" in request.target] == []
    await lab.until(lambda: not backend.stats.active)


@pytest.mark.parametrize("bad", RESPONSES, ids=lambda bad: bad.name)
async def test_no_part_of_it_is_taken_for_a_response(lab: Any, bad: Bad) -> None:
    app = await lab.app(lambda request: bad.data if request.target == "/bad" else lab.text("after"))
    backend = lab.revision("hello", app, host="a.test")
    client = await lab.connect()
    await client.send(lab.get_bytes("a.test", "/bad"))
    try:
        answer = await client.response()
        while answer.status < 200:
            answer = await client.response()
    except (asyncio.IncompleteReadError, ConnectionError):
        # Its head was passed on before the fault was seen.
        assert bad.begins
    else:
        assert (answer.status, answer.error) == (502, "bad-response")
    await lab.until(lambda: not backend.stats.active)
    # Whatever else came on that connection is nobody's answer.
    assert (await lab.get("a.test", "/")).body == b"after"
    assert app.connections == 2
