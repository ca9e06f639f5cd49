"""The process layer by itself: ends, groups, adoption, commands, output."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hearth.cluster.node.runtime.api import ExecResult, Exit, StartError
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.cluster.node.runtime.processes import marks as sweeping
from hearth.cluster.node.runtime.processes.commands import run_command
from hearth.cluster.node.runtime.processes.logpump import LogPump
from hearth.cluster.node.runtime.processes.marks import find_marked, kill_marked
from hearth.cluster.node.runtime.processes.process import Launch, Process, adopt, start
from hearth.cluster.node.runtime.processes.procfs import may_be_in_exec, start_ticks

PATH = {"PATH": os.defpath}


@pytest.fixture
def null() -> Iterator[int]:
    fd = os.open(os.devnull, os.O_WRONLY)
    yield fd
    os.close(fd)


def shell(script: str, null: int, **env: str) -> Process:
    return start(Launch(("/bin/sh", "-c", script), PATH | env, "/", null, null))


@pytest.mark.parametrize(
    ("script", "how"),
    [("exit 0", Exit(0)), ("exit 7", Exit(7)), ("kill -15 $$", Exit(143, 15))],
)
async def test_how_a_process_ends(null: int, script: str, how: Exit) -> None:
    assert await shell(script, null).wait() == how


async def test_files_of_a_process_are_as_in_a_container(null: int, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        process = shell('touch "$FILE"', null, FILE=str(tmp_path / "file"))
        assert await process.wait() == Exit(0)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


async def test_a_process_inherits_nothing_but_its_output(null: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        read_end, write_end = os.pipe()
        held = f"{listener.fileno()} {read_end} {write_end}"
        script = "for n in $HELD; do [ -e /proc/self/fd/$n ] && exit 1; done; exit 0"
        assert await shell(script, null, HELD=held).wait() == Exit(0)
        os.close(read_end)
        os.close(write_end)


async def test_many_at_once(null: int) -> None:
    processes = [shell(f"exit {n}", null) for n in range(50)]
    assert [(await p.wait()).code for p in processes] == list(range(50))


async def test_a_process_leads_its_own_session(null: int) -> None:
    process = shell("exec sleep 1000", null)
    assert os.getsid(process.pid) == process.pid
    process.signal_group(signal.SIGTERM)
    assert await process.wait() == Exit(143, 15)
    process.signal_group(signal.SIGKILL)  # too late, and harmless


async def test_an_adopted_process_is_watched_and_signalled(null: int) -> None:
    process = shell("exec sleep 1000", null)
    again = adopt(process.pid, process.start_ticks)
    assert again is not None
    again.signal_group(signal.SIGKILL)
    assert (await again.wait()).code is None  # not our child: nobody tells us
    assert await process.wait() == Exit(137, 9)
    assert adopt(process.pid, process.start_ticks) is None


async def test_another_start_time_is_another_process(null: int) -> None:
    process = shell("exec sleep 1000", null)
    assert adopt(process.pid, process.start_ticks + 1) is None
    process.signal_group(signal.SIGKILL)
    await process.wait()


async def test_marked_processes_are_found(null: int) -> None:
    mark = f"HEARTH_TEST={os.getpid()}"
    name, _, value = mark.partition("=")
    one, two = (shell("exec sleep 1000", null, **{name: value}) for _ in range(2))
    while len(find_marked(mark)) < 2:
        await asyncio.sleep(0.005)
    assert kill_marked(mark, but=frozenset([two.pid])) == 1
    assert (await one.wait()).signal == 9
    assert start_ticks(two.pid) is not None
    assert kill_marked(mark) == 1
    await two.wait()


async def test_those_who_ask_during_a_walk_share_the_next(
    null: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = [f"HEARTH_TEST={os.getpid()}-sweep-{number}" for number in range(5)]
    processes = [shell("exec sleep 1000", null, HEARTH_TEST=m.partition("=")[2]) for m in marks]
    while len(find_marked(*marks)) < len(marks):
        await asyncio.sleep(0.005)
    walks, walk = list[tuple[str, ...]](), sweeping.kill_marked

    def noted(*asked: str) -> int:
        walks.append(asked)
        return walk(*asked)

    monkeypatch.setattr(sweeping, "kill_marked", noted)
    sweeps = sweeping.Sweeps()
    await asyncio.gather(*map(sweeps.kill, marks))
    assert [len(asked) for asked in walks] in ([1, 4], [5])
    assert [(await process.wait()).signal for process in processes] == [9] * len(marks)


async def test_a_walk_that_fails_is_made_again_for_those_who_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walks = list[set[str]]()

    def fails_once(*asked: str) -> int:
        walks.append(set(asked))
        if len(walks) == 1:
            raise OSError("no file descriptors left")
        return 0

    monkeypatch.setattr(sweeping, "kill_marked", fails_once)
    sweeps = sweeping.Sweeps()
    first, second = await asyncio.gather(
        sweeps.kill("a=1"), sweeps.kill("b=2"), return_exceptions=True
    )
    assert isinstance(first, OSError)
    assert second is None
    assert "b=2" in walks[1]


@pytest.mark.parametrize(
    ("argv", "cwd", "message"),
    [
        (("/no/program",), "/", 'exec: "/no/program": no such file or directory'),
        (("no-program",), "/", 'exec: "no-program": not found in $PATH'),
        (("/etc/passwd",), "/", 'exec: "/etc/passwd": permission denied'),
        (("true",), "/no/folder", 'working directory "/no/folder" does not exist'),
    ],
)
async def test_what_cannot_be_started(
    null: int, argv: tuple[str, ...], cwd: str, message: str
) -> None:
    with pytest.raises(StartError) as caught:
        start(Launch(argv, PATH, cwd, null, null))
    assert str(caught.value) == message


async def test_commands() -> None:
    async def run(script: str, timeout: float = 10) -> ExecResult:
        return await run_command(("/bin/sh", "-c", script), env=PATH, cwd="/", timeout=timeout)

    assert await run("echo out; echo err >&2; exit 3") == ExecResult(3, "out\nerr\n")
    assert await run("exec sleep 1000", timeout=0.1) == ExecResult(None, "")
    result = await run("head -c 1000000 /dev/zero | tr '\\0' x")
    assert (result.code, len(result.output)) == (0, 10 * 1024)


async def test_a_process_does_not_escape_by_its_exec(null: int) -> None:
    """One that goes from program to program is found at every moment."""
    mark = f"HEARTH_TEST={os.getpid()}-exec"
    name, _, value = mark.partition("=")
    again = 'i=${1:-0}; [ $i -lt 300 ] && exec /bin/sh -c "$SCRIPT" sh $((i + 1)); exec sleep 1000'
    process = shell('exec /bin/sh -c "$SCRIPT"', null, SCRIPT=again, **{name: value})
    seen = [find_marked(mark) for _ in range(200)]
    assert seen == [[process.pid]] * 200
    assert kill_marked(mark) == 1
    await process.wait()


async def test_an_empty_environment_is_not_waited_for(null: int) -> None:
    process = start(Launch(("/bin/sleep", "1000"), {}, "/", null, null))
    async with asyncio.timeout(60):
        while may_be_in_exec(process.pid):  # its own, that is
            await asyncio.sleep(0.001)
    process.signal_group(signal.SIGKILL)
    await process.wait()
    assert not may_be_in_exec(process.pid)


# -- output -------------------------------------------------------------------------------------


async def pumped(folder: Path, script: str, *, limit: int = 1 << 20, rate: int = 1 << 30) -> bytes:
    """What ends up in the log files of a process."""
    (folder / "io").mkdir()
    pump = LogPump(folder / "io", RotatingFile(folder / "0.log", limit), rate)
    stdout, stderr = pump.open()
    process = start(Launch(("/bin/sh", "-c", script), PATH, "/", stdout, stderr))
    os.close(stdout)
    os.close(stderr)
    await process.wait()
    pump.close()
    files = (folder / "0.log.1", folder / "0.log")
    return b"".join(path.read_bytes() for path in files if path.exists())


def texts(log: bytes) -> list[bytes]:
    return [line.split(b" ", 3)[3] for line in log.splitlines()]


async def test_both_streams_are_kept_apart(tmp_path: Path) -> None:
    log = await pumped(tmp_path, "echo out; echo err >&2; printf unfinished")
    kinds = {line.split(b" ", 3)[3]: line.split(b" ")[1] for line in log.splitlines()}
    assert kinds == {b"out": b"stdout", b"err": b"stderr", b"unfinished": b"stdout"}


async def test_no_line_is_lost(tmp_path: Path) -> None:
    log = await pumped(tmp_path, "seq 1 20000", limit=1 << 30)
    assert texts(log) == [str(n).encode() for n in range(1, 20001)]


async def test_files_are_bounded(tmp_path: Path) -> None:
    log = await pumped(tmp_path, "seq 1 200000", limit=4_000_000)
    sizes = [path.stat().st_size for path in tmp_path.glob("0.log*")]
    assert len(sizes) == 2 and max(sizes) <= 4_000_000
    numbers = [int(text) for text in texts(log)]
    assert numbers == list(range(numbers[0], 200001))  # the newest are kept, without a gap


async def test_a_flood_is_slowed_down(tmp_path: Path) -> None:
    """Three megabytes at two a second (with two on credit) take a good half second."""
    started = asyncio.get_running_loop().time()
    await pumped(tmp_path, "yes | head -c 5000000", limit=1 << 30, rate=2_000_000)
    assert asyncio.get_running_loop().time() - started > 0.5


async def test_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "0.log").symlink_to("/dev/full")
    (tmp_path / "io").mkdir()
    pump = LogPump(tmp_path / "io", RotatingFile(tmp_path / "0.log"))
    stdout, stderr = pump.open()
    process = start(Launch(("/bin/sh", "-c", "seq 1 100; exit 4"), PATH, "/", stdout, stderr))
    os.close(stdout)
    os.close(stderr)
    assert (await process.wait()).code == 4
    pump.close()


async def test_a_writer_outlives_its_reader(tmp_path: Path) -> None:
    """What is printed while nobody reads is there for the next reader."""
    (tmp_path / "io").mkdir()
    pump = LogPump(tmp_path / "io", RotatingFile(tmp_path / "0.log"))
    stdout, stderr = pump.open()
    script = "while [ ! -e go ]; do sleep 0.01; done; echo while away; touch said; read x < gate"
    os.mkfifo(tmp_path / "gate")
    process = start(Launch(("/bin/sh", "-c", script), PATH, str(tmp_path), stdout, stderr))
    os.close(stdout)
    os.close(stderr)
    pump.close()
    (tmp_path / "go").touch()
    while not (tmp_path / "said").exists():
        await asyncio.sleep(0.005)
    again = LogPump(tmp_path / "io", RotatingFile(tmp_path / "0.log"))
    again.reopen()
    os.close(os.open(tmp_path / "gate", os.O_WRONLY))
    assert (await process.wait()).code == 1
    again.close()
    assert texts((tmp_path / "0.log").read_bytes()) == [b"while away"]
