"""The shell of a component process, in a process of its own: readiness, signals, the lifeline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_HEAD = """
import asyncio, os, sys
from hearth.process import ProcessConfig, run_process

async def serve(ready):
    ready()
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)
"""


def word(fd: int) -> str:
    """What a component says next."""
    said = b""
    while not said.endswith(b"\n"):
        said += os.read(fd, 1) or b"nothing\n"
    return said.decode().strip()


@contextmanager
def component(script: str, *fds: int) -> Iterator[subprocess.Popen[str]]:
    source = _HEAD + textwrap.dedent(script)
    process = subprocess.Popen(
        [sys.executable, "-c", source, *map(str, fds)],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=fds,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_component_in_order(number: int) -> None:
    read_end, write_end = os.pipe()
    with component(
        """
        config = ProcessConfig("test", ready_fd=int(sys.argv[1]))
        sys.exit(run_process(serve, config))
        """,
        write_end,
    ) as process:
        os.close(write_end)
        assert word(read_end) == "ready"
        process.send_signal(number)
        assert process.communicate(timeout=60)[0] == "cleaned up\n"
        assert process.returncode == 0
    os.close(read_end)


def test_no_library_takes_the_signals_away() -> None:
    read_end, write_end = os.pipe()
    with component(
        """
        import signal

        async def greedy(ready):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, print, "mine")
            await serve(ready)

        sys.exit(run_process(greedy, ProcessConfig("test", ready_fd=int(sys.argv[1]))))
        """,
        write_end,
    ) as process:
        os.close(write_end)
        assert word(read_end) == "ready"
        process.terminate()
        assert process.communicate(timeout=60)[0] == "cleaned up\n"
        assert process.returncode == 0
    os.close(read_end)


def test_the_loss_of_the_lifeline_ends_a_component() -> None:
    read_end, write_end = os.pipe()
    lifeline, supervisor = os.pipe()
    with component(
        """
        ready_fd, lifeline_fd = map(int, sys.argv[1:])
        config = ProcessConfig("test", ready_fd=ready_fd, lifeline_fd=lifeline_fd)
        sys.exit(run_process(serve, config))
        """,
        write_end,
        lifeline,
    ) as process:
        os.close(write_end)
        os.close(lifeline)
        assert word(read_end) == "ready"
        os.close(supervisor)
        assert process.communicate(timeout=60)[0] == "cleaned up\n"
        assert process.returncode == 0
    os.close(read_end)


def test_a_successor_may_take_over_while_a_component_ends() -> None:
    read_end, write_end = os.pipe()
    with component(
        """
        import urllib.request
        from hearth.process import GONE, LEAVING, let_go, say
        from tests.ports import free_port

        port = free_port()

        async def hands_over(ready):
            ready()
            try:
                await asyncio.Event().wait()
            finally:
                print(say(LEAVING), flush=True)
                await let_go()
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60)
                except OSError as error:
                    print(error, flush=True)

        config = ProcessConfig("test", ready_fd=int(sys.argv[1]), metrics_port=port)
        sys.exit(run_process(hands_over, config))
        """,
        write_end,
    ) as process:
        os.close(write_end)
        assert word(read_end) == "ready"
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[0].splitlines()
        assert said[0] == "True"
        assert "refused" in said[1]
        assert [word(read_end), word(read_end)] == ["leaving", "gone"]
    os.close(read_end)


def test_a_component_that_ends_with_all_others_is_told_that_nobody_follows() -> None:
    read_end, write_end = os.pipe()
    with component(
        """
        from hearth.process import LEAVING, say

        async def asks(ready):
            ready()
            try:
                await asyncio.Event().wait()
            finally:
                print(say(LEAVING), flush=True)

        sys.exit(run_process(asks, ProcessConfig("test", ready_fd=int(sys.argv[1]))))
        """,
        write_end,
    ) as process:
        os.close(write_end)
        assert word(read_end) == "ready"
        os.close(read_end)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[0] == "False\n"


def test_metrics_and_the_name_are_there_before_readiness() -> None:
    with component(
        """
        from hearth.observability.metrics import RECONCILES
        import hearth.process as shell

        serve_metrics = shell.serve_metrics
        shell.serve_metrics = lambda host, port: print(serve_metrics(host, port), flush=True)
        RECONCILES.labels("test", "success").inc()

        async def tell(ready):
            print(open("/proc/self/comm").read().strip(), flush=True)
            await serve(ready)

        sys.exit(run_process(tell, ProcessConfig("a-very-long-name", metrics_port=0)))
        """
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert process.stdout.readline() == "hearth-a-very-l\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        assert 'hearth_reconcile_total{controller="test",result="success"} 1.0' in text


def test_a_start_gives_back_what_it_took() -> None:
    with component(
        """
        import hearth.process as shell

        shell.SETTLED_AFTER = 0.01

        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")

        async def start(ready):
            kept, taken = [], []
            for _ in range(100_000):  # what a start keeps lies between what it lets go of
                taken.append(bytes(1000))
                if len(taken) % 1000 == 0:
                    kept.append(bytes(1000))
            full = resident()
            taken.clear()
            ready()
            while full - resident() < 50_000_000:
                await asyncio.sleep(0.01)
            print(len(kept), flush=True)

        sys.exit(run_process(start, ProcessConfig("test")))
        """
    ) as process:
        assert process.communicate(timeout=60)[0] == "100\n"
