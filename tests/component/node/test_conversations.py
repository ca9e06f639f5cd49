"""Commands of processes that talk with a client: terminals, what is left behind, slow readers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hearth.cluster.node.runtime.api import STDOUT, Size, StartError
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.cluster.node.runtime.processes.console import Console
from hearth.cluster.node.runtime.processes.conversation import run_with_client
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.marks import find_marked
from hearth.cluster.node.runtime.processes.process import Launch, Process, start
from tests.streams import Client

ENV = {"PATH": os.defpath, "MARK": "conversation"}


async def run(script: str, client: Client) -> int:
    return await run_with_client(("/bin/sh", "-c", script), client, env=ENV, cwd="/")


def a_terminal() -> Client:
    return Client(is_terminal=True, outputs=frozenset({STDOUT}))


async def test_a_terminal_is_the_commands_own() -> None:
    client = a_terminal().say(b"typed\n")
    script = 'test -t 0 && test -t 1 && echo "to the terminal" >/dev/tty; read x; echo "$TERM: $x"'
    assert await run(script, client) == 0
    assert b"to the terminal\r\n" in client.sent[STDOUT]
    assert client.sent[STDOUT].endswith(b"xterm: typed\r\n")


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["heard", "ignored"])
def interrupt(request: pytest.FixtureRequest) -> Iterator[None]:
    """As this process takes it, which is started in a terminal or in the background of a script."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupt")
async def test_control_c_interrupts() -> None:
    client = a_terminal()
    running = asyncio.create_task(run("echo begun; exec sleep 1000", client))
    await client.until(b"begun")
    client.say(b"\x03")
    assert await running == 128 + signal.SIGINT


async def test_a_terminal_is_told_of_a_new_size() -> None:
    client = a_terminal()
    client.sizes.put_nowait(Size(80, 24))
    script = "trap 'stty size; exit 0' WINCH; echo begun; while :; do sleep 0.01; done"
    running = asyncio.create_task(run(script, client))
    await client.until(b"begun")
    client.sizes.put_nowait(Size(200, 70_000))  # as much as a terminal can have
    assert await running == 0
    assert client.sent[STDOUT].endswith(b"65535 200\r\n")


@pytest.mark.parametrize("client", [Client(), a_terminal()], ids=["pipes", "terminal"])
async def test_nothing_is_left_of_a_command_whose_client_has_gone(client: Client) -> None:
    script = "setsid sleep 1000 & sleep 1000 & trap '' HUP TERM; echo begun; wait"
    running = asyncio.create_task(run(script, client))
    await client.until(b"begun")
    assert len(find_marked("MARK=conversation")) == 3
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(60):
        while find_marked("MARK=conversation"):
            await asyncio.sleep(0.005)


async def test_who_holds_the_output_open_is_not_waited_for() -> None:
    client = Client(has_stdin=False)
    has_left = "[ \"$(cut -d' ' -f6 /proc/$!/stat)\" = $! ]"
    assert await run(f"setsid sleep 1000 & until {has_left}; do :; done; echo done", client) == 0
    assert client.sent[STDOUT] == b"done\n"
    (left,) = find_marked("MARK=conversation")
    os.kill(left, signal.SIGKILL)


async def test_input_that_nobody_reads_holds_nothing_up() -> None:
    client = Client().say(*[b"x" * 100_000] * 20, b"")
    assert await run("exec 0<&-; exec sleep 0.05", client) == 0
    assert client.has_ended


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program", "./none"])
async def test_a_program_that_is_not_there_has_no_terminal_either(program: str) -> None:
    with pytest.raises(StartError, match=r"not found in \$PATH|no such file"):
        await run_with_client((program,), a_terminal(), env=ENV, cwd="/")


# -- the console of a container ----------------------------------------------------------------


def started(console: Console, script: str, **fields: object) -> Process:
    given = console.open(fields)
    argv = ("/bin/sh", "-c", script)
    launch = Launch(
        argv, ENV, "/", given.stdout, given.stderr, stdin=given.stdin, terminal=given.terminal
    )
    process = start(launch)
    given.close()
    return process


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(LogPump(tmp_path, RotatingFile(tmp_path / "0.log")))


async def test_a_container_with_a_terminal(console: Console, tmp_path: Path) -> None:
    process = started(console, "read x; stty size; echo $x", tty=True, stdin=True)
    client = a_terminal().say(b"typed\n")
    client.sizes.put_nowait(Size(100, 40))
    attached = asyncio.create_task(console.attach(client))
    await process.wait()
    console.close()
    await attached
    assert client.sent[STDOUT].endswith(b"40 100\r\ntyped\r\n")
    assert "stdout F typed" in (tmp_path / "0.log").read_text()


async def test_who_does_not_keep_up_is_let_go(console: Console) -> None:
    """The container writes on, and all of it is in the log."""
    process = started(console, "head -c 3000000 /dev/zero; echo; echo end")
    client = Client(has_stdin=False)
    async with client.changed:  # so writes to it wait
        attached = asyncio.create_task(console.attach(client))
        assert (await process.wait()).code == 0
        console.close()
    with pytest.raises(ExceptionGroup) as caught:
        await attached
    assert caught.group_contains(ConnectionAbortedError)
    assert console.pump.listeners == set()


async def test_input_for_a_container_that_takes_none_is_dropped(console: Console) -> None:
    process = started(console, "read x; echo $?")
    client = Client().say(b"x" * 100_000, b"")
    attached = asyncio.create_task(console.attach(client))
    await process.wait()
    console.close()
    await attached
    assert client.sent[STDOUT] == b"1\n"
