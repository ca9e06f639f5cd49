"""The program that containers run until they are meant, on the processors it is written for."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hearth.cluster.node.runtime.containers.waiter import waiter
from tests.component.keda.servers import wait_until

SHOW = "import sys, os; print(sys.argv[1:], os.environ['COLOR'], os.getpid())"


@pytest.fixture(params=["x86_64", "aarch64"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The waiter's command line; by QEMU for another processor than this one."""
    program = waiter(request.param)
    assert program is not None
    path = tmp_path / "waiter"
    path.write_bytes(program)
    path.chmod(0o755)
    if request.param == platform.machine():
        return [str(path)]
    interpreter = shutil.which(f"qemu-{request.param}-static")
    if interpreter is None:
        pytest.skip(f"there is no {request.param} here, nor QEMU for it")
    return [interpreter, str(path)]


@contextlib.contextmanager
def waiting(*words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(words, stdout=-1, text=True, env={"COLOR": "red"}) as process:
        try:
            wait_until(lambda: stat(process.pid) == "S")
            yield process
        finally:
            process.kill()


def stat(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_it_becomes_the_first_program_that_there_is(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "python").write_text("not to be executed")
    paths = [str(tmp_path / "python"), str(tmp_path), sys.executable]
    with waiting(*command, *paths, "", sys.executable, "-c", SHOW, "a", "", "b c") as process:
        process.send_signal(signal.SIGUSR1)
        said, _ = process.communicate(timeout=60)
    assert said == f"['a', '', 'b c'] red {process.pid}\n"


def test_it_does_not_wait_for_nothing(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run([*command, str(tmp_path / "none"), "", "none"], timeout=60)
    assert done.returncode == 127


def test_what_has_gone_while_it_waited(command: list[str], tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.symlink_to(sys.executable)
    with waiting(*command, str(program), "", "program") as process:
        program.unlink()
        os.kill(process.pid, signal.SIGUSR1)
        assert process.wait(10) == 127


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGWINCH])
def test_it_ends_when_asked_to(command: list[str], number: signal.Signals) -> None:
    """First processes of containers ignore signals that they do not wait for."""
    with waiting(*command, sys.executable, "", "python") as process:
        process.send_signal(number)
        assert process.wait(10) == 128 + number
