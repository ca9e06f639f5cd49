"""kubectl exec, attach, cp, port-forward and run, with the real kubectl."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import Hearth, kubectl_binary, wait_until

pytestmark = pytest.mark.kubectl
_MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def pods(hearth: Hearth) -> None:
    """A shell that waits, and a server behind a Service."""
    hearth.run("image", "add", "shell", "--", "/bin/sh", "-c")
    labels = {"app": "hello"}
    hello = {
        "name": "main",
        "image": "hearth.dev/samples/hello",
        "ports": [{"containerPort": 8080}],
    }
    service = {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}
    hearth.apply(
        a_pod("shell", {"name": "main", "image": "shell", "args": ["exec sleep 1000"]}),
        a_pod("hello", hello, labels=labels),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hello"}, "spec": service},
    )
    hearth.kubectl("wait", "--for=condition=Ready", "pod/shell", "pod/hello", "--timeout=90s")


def a_pod(name: str, container: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def command(hearth: Hearth, *arguments: str) -> list[str]:
    return [kubectl_binary(), "--kubeconfig", str(hearth.kubeconfig), *arguments]


def test_a_command_and_how_it_ends(hearth: Hearth) -> None:
    done = hearth.kubectl(
        "exec", "shell", "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False
    )
    assert (done.stdout, done.returncode) == ("out\n", 7)
    assert done.stderr.startswith("err\n") and "exit code 7" in done.stderr
    echoed = hearth.kubectl("exec", "-i", "shell", "--", "cat", stdin="some words\n")
    assert echoed.stdout == "some words\n"


def test_what_cannot_be_run(hearth: Hearth) -> None:
    absent = hearth.kubectl("exec", "shell", "--", "no-such-program", check=False)
    assert absent.returncode != 0 and 'exec: "no-such-program": not found' in absent.stderr
    strange = hearth.kubectl("exec", "shell", "-c", "x", "--", "ls", check=False)
    assert "container x is not valid for pod shell" in strange.stderr


def test_a_terminal_that_changes_its_size(hearth: Hearth) -> None:
    script = """trap 'echo caught; exit 3' INT
        echo ready
        until [ "$(stty size)" = '40 132' ]; do sleep 0.05; done
        echo bigger
        while :; do sleep 0.05; done"""
    with a_terminal(hearth, "exec", "-it", "shell", "--", "sh", "-c", script) as terminal:
        terminal.until("ready")  # so kubectl looks for changes by now
        terminal.resize(rows=40, columns=132)
        terminal.until("bigger")
        terminal.say("\x03")
        terminal.until("caught")
        assert terminal.process.wait(timeout=60) == 3


def test_files_both_ways(hearth: Hearth, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    big = tmp_path / "files" / "inner" / "big"
    big.parent.mkdir(parents=True)
    big.write_bytes(os.urandom(50 * _MEBIBYTE))
    (tmp_path / "files" / "small").write_text("small\n")
    hearth.kubectl("cp", str(tmp_path / "files"), f"shell:{there}")
    hearth.kubectl("cp", f"shell:{there}", str(back))
    assert (back / "inner" / "big").read_bytes() == big.read_bytes()
    assert (back / "small").read_text() == "small\n"


@pytest.mark.parametrize("target", ["pod/hello:8080", "svc/hello:80"])
def test_many_connections_to_a_port(hearth: Hearth, target: str) -> None:
    what, port = target.split(":")
    with forwarding(hearth, what, f":{port}") as local, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: get(local), range(100)))
    assert set(answers) == {(200, b"Hello World!\n")}


def get(port: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextlib.contextmanager
def forwarding(hearth: Hearth, *arguments: str) -> Iterator[int]:
    with subprocess.Popen(
        command(hearth, "port-forward", *arguments), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found is not None
        try:
            yield int(found[1])
        finally:
            process.kill()


def test_a_killed_client_leaves_nothing(hearth: Hearth, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = f"echo $$ > {file}; exec sleep 1000"
    with subprocess.Popen(command(hearth, "exec", "shell", "--", "sh", "-c", script)) as client:
        pid = wait_until(lambda: file.exists() and file.read_text().strip(), what="the command")
        assert Path(f"/proc/{pid}").exists()
        client.kill()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="its end")


def test_run_with_a_terminal(hearth: Hearth) -> None:
    """What everybody types first: a pod of one's own, with a shell."""
    arguments = ("--image=shell", "--restart=Never", "--rm", "-it", "--", "exec sh")
    with a_terminal(hearth, "run", "mine", *arguments) as terminal:
        terminal.say("\n")
        terminal.say("tty && echo in''side; exit 0\n")
        terminal.until("inside")
        assert terminal.process.wait(timeout=30) == 0
    gone = hearth.kubectl("get", "pod", "mine", check=False)
    assert "NotFound" in gone.stderr


class Terminal:
    """A kubectl that thinks somebody sits before it."""

    def __init__(self, arguments: list[str]) -> None:
        self._fd, theirs = pty.openpty()
        self.resize(rows=24, columns=80)
        self.process = subprocess.Popen(
            arguments, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.seen = ""

    def resize(self, *, rows: int, columns: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGWINCH)

    def say(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def until(self, text: str) -> None:
        deadline = time.monotonic() + 90
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._fd], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # EIO: kubectl has ended
                    self.seen += os.read(self._fd, 65536).decode(errors="replace")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._fd)


@contextlib.contextmanager
def a_terminal(hearth: Hearth, *arguments: str) -> Iterator[Terminal]:
    made = Terminal(command(hearth, *arguments))
    try:
        yield made
    finally:
        made.close()
