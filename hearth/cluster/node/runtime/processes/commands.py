"""One command from its start to its end, with the first of what it printed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence

from hearth.cluster.node.runtime.api import ExecResult, StartError
from hearth.cluster.node.runtime.processes.process import Launch, start
from hearth.timeouts import time_limit

_OUTPUT_LIMIT = 10 * 1024


async def run_command(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: str, timeout: float
) -> ExecResult:
    """Runs a command to its end and keeps the first 10 KiB of what it printed.

    Its group is killed after ``timeout`` seconds. Raises StartError when it cannot be started.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read_end, False)
    try:
        process = start(Launch(argv, env, cwd, write_end, write_end))
    except StartError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    output = bytearray()
    loop = asyncio.get_running_loop()
    loop.add_reader(read_end, _collect, loop, read_end, output)
    code: int | None = None
    try:
        async with time_limit(timeout):
            code = (await process.wait()).code
    except TimeoutError:
        pass
    finally:
        process.signal_group(signal.SIGKILL)
        loop.remove_reader(read_end)
        _collect(loop, read_end, output)
        os.close(read_end)
    if not process.has_ended:
        await process.wait()
    return ExecResult(code, output.decode(errors="replace"))


def _collect(loop: asyncio.AbstractEventLoop, fd: int, output: bytearray) -> None:
    try:
        chunk = os.read(fd, 65536)
    except BlockingIOError:
        return
    if not chunk:
        loop.remove_reader(fd)
    if len(output) < _OUTPUT_LIMIT:
        output += chunk[: _OUTPUT_LIMIT - len(output)]
