"""An activator of a cluster ends in order: whoever could connect is answered."""

from __future__ import annotations

import asyncio
import contextlib

from tests.bench import activators
from tests.component.test_listening import needs_the_kernels_leave
from tests.waiting import until


async def test_every_connection_that_was_made_is_answered() -> None:
    """Also those that come to the last moment, and from load balancers that have not noticed."""
    needs_the_kernels_leave()
    answered, lost = 0, []
    async with activators.running(activators=1, pods=2, limit=50, work=5.0) as cluster:
        [(port, (process, _))] = cluster.activators.items()

        async def ask_until_refused() -> None:
            nonlocal answered
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    return
                writer.write(activators.REQUEST)
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except (OSError, asyncio.IncompleteReadError) as error:
                    lost.append(repr(error))
                else:
                    answered += head.startswith(b"HTTP/1.1 200 ")
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()

        async with asyncio.TaskGroup() as group, asyncio.timeout(20):
            for _ in range(32):
                group.create_task(ask_until_refused())
            await until(lambda: answered > 50)
            process.terminate()
        assert await process.wait() == 0
    assert lost == []
    assert answered > 50
