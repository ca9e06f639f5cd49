"""A Python that has packages imported and is forked to become programs.

    PYTHON [OPTION...] zygote.py '{"modules", "without", "options", "launcher"}' ROOM

Standard input is a socket of packets. It says ``{"ready": [what was left out]}``; then each packet
with four descriptors (a request as JSON, a program's stdin, stdout and stderr) makes a process and
is answered by ``{"pid": N}``. The process between us and that one ends, so it goes to who takes
orphans. It reads its request itself: what one program is told is never in the memory that the next
is made of. The end of the socket, or of our parent, is our own.

What starts threads or keeps files open as it is imported cannot be forked: this begins anew without
it. ROOM, and a variable, are memory where the kernel finds command and environment of a process.
Runs in a CPython from 3.10 on, with its standard library alone; programs must not see this file.
"""

from __future__ import annotations

import sys

_IS_SAFE = sys.flags.isolated or getattr(sys.flags, "safe_path", False)
if not _IS_SAFE:
    del sys.path[0]

import contextlib  # noqa: E402
import ctypes  # noqa: E402
import gc  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import runpy  # noqa: E402
import select  # noqa: E402
import socket  # noqa: E402
from importlib.machinery import SourceFileLoader  # noqa: E402
from types import ModuleType  # noqa: E402
from typing import Any  # noqa: E402

_FDS = 4
_PAUSE = 1.0
"""Seconds after which the next process is made, so that the last one has the machine."""
_PARENT_DEATH_SIGNAL = 1
_START, _LENGTH = 45, 2
"""Of the places of command and environment among the fields of /proc/PID/stat after the name."""


def serve(state: dict[str, Any]) -> list[str]:
    """Serve until the socket ends; returns in the processes that are made, with their argv."""
    line = socket.socket(fileno=0)
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, 9)
    left_out = _preload(state)
    launcher = _module_of(state["launcher"])
    gc.collect()
    gc.freeze()
    _send(line, {"ready": left_out})
    while True:
        spare = _Spare()
        if spare.between == 0:
            line.detach()
            return _become(spare.told, launcher, state["options"])
        packet, fds, _, _ = socket.recv_fds(line, 64, _FDS)
        if not packet:
            os._exit(0)
        _send(line, spare.give(fds))
        for fd in fds:
            os.close(fd)
        select.select([line], [], [], _PAUSE)


class _Spare:
    """The next process, which waits; ``between`` is that of its parent, and 0 in itself."""

    def __init__(self) -> None:
        self._hand, self.told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        heard, self._stop = os.pipe()
        self.between = os.fork()
        if self.between == 0:
            os.dup2(1, 0)  # what we are told is none of their business
            os.close(self._stop)
            self._hand.close()
            if os.fork() != 0:
                os.dup2(heard, 0)
                with contextlib.suppress(OSError):  # what is small ends sooner
                    os.execv("/bin/cat", ["cat"])
                os.read(0, 1)
                os._exit(0)
        else:
            self.told.close()
        os.close(heard)

    def give(self, fds: list[int]) -> dict[str, Any]:
        """Have it begin, once it is an orphan; an answer, once it can be found by its marks.

        In that order: no program is to see a parent that goes.
        """
        os.close(self._stop)
        os.waitpid(self.between, 0)
        socket.send_fds(self._hand, [b"."], fds)
        pid = self._hand.recv(32)
        self._hand.close()
        return {"pid": int(pid)} if pid else {"error": "it made no process"}


def _send(line: socket.socket, message: object) -> None:
    line.send(json.dumps(message).encode())


def _module_of(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("_hearth_launcher", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _preload(state: dict[str, Any]) -> list[str]:
    """Import what can be; begin anew where something has come that cannot be forked."""
    before, left_out = _held(), list(state["without"])
    for name in state["modules"]:
        if name in left_out:
            continue
        try:
            importlib.import_module(name)
        except BaseException:  # the program that imports it will say what is wrong
            left_out.append(name)
        if _held() != before:
            again = json.dumps({**state, "without": [*left_out, name]})
            words = [sys.executable, *state["options"], __file__, again, sys.argv[2]]
            os.execv(sys.executable, words)
    return left_out


def _held() -> tuple[int, list[str]]:
    return len(os.listdir("/proc/self/task")), sorted(os.listdir("/proc/self/fd"))


def _become(told: socket.socket, launcher: ModuleType, options: list[str]) -> list[str]:
    """Wait to be told, and take over what a program is given; its argv."""
    packet, fds, _, _ = socket.recv_fds(told, 64, _FDS)
    if not packet:
        os._exit(0)
    os.setsid()
    with open(fds[0], "rb") as file:
        request = json.load(file)
    for number, fd in enumerate(fds[1:]):
        os.dup2(fd, number)
        os.close(fd)
    os.umask(request["umask"])
    argv: list[str] = request["argv"]
    env: dict[str, str] = request["env"]
    sys.orig_argv = [sys.executable, *options, *argv]
    _show(sys.orig_argv, [f"{name}={value}" for name, value in env.items()])
    told.send(str(os.getpid()).encode())
    told.close()
    os.environ.clear()  # noqa: TID251 - this becomes a program of its own
    os.environ.update(env)  # noqa: TID251
    if request["mounts"]:
        launcher.mount_or_exit(request["mounts"])
    else:
        os.chdir(request["cwd"])
    if "numpy" in sys.modules:  # all else that is random takes note of a fork by itself
        sys.modules["numpy"].random.seed()
    return argv


def _show(*texts: list[str]) -> None:
    """Write command and environment where the kernel shows them."""
    with open("/proc/self/stat", "rb") as file:
        places = [int(each) for each in file.read().rpartition(b")")[2].split()[_START:]]
    for words, start, end in zip(texts, places[::_LENGTH], places[1::_LENGTH], strict=False):
        room = end - start
        text = b"\0".join(map(os.fsencode, words))[: room - 1]
        ctypes.memmove(start, text.ljust(room, b"\0"), room)


def run(argv: list[str]) -> None:
    """Run as ``python ARGV`` does: a module after ``-m``, or a file."""
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    if argv[0] == "-m":
        sys.argv = ["-m", *argv[2:]]
        if not _IS_SAFE:
            sys.path.insert(0, os.getcwd())
        runpy._run_module_as_main(argv[1])  # type: ignore[attr-defined]
        return
    path, sys.argv = os.path.abspath(argv[0]), argv
    if not _IS_SAFE:
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        told = f"[Errno {error.errno}] {error.strerror}"
        print(f"{sys.executable}: can't open file {path!r}: {told}", file=sys.stderr)
        sys.exit(2)
    loader = SourceFileLoader("__main__", path)
    main.__dict__.update(__file__=path, __loader__=loader, __cached__=None)
    exec(compile(text, path, "exec", dont_inherit=True), main.__dict__)


if __name__ == "__main__":
    _kept = sys.modules["__main__"]
    _argv = serve(json.loads(sys.argv[1]))
    try:
        run(_argv)
    except Exception as _error:  # told as ever, without the frames of this file
        _trace = _error.__traceback__ and _error.__traceback__.tb_next
        _error.__traceback__ = _trace and _trace.tb_next
        sys.excepthook(type(_error), _error, _error.__traceback__)
        sys.exit(1)
