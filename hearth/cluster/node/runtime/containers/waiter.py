"""The program that a container runs until its own is to begin: so nothing else is left to do. Pure.

It is a static one of some hundred bytes, which every image can run: it looks whether there is a
program to begin, waits for one signal, and becomes that program, as execvp(3) finds it. A container
that waits so has its mounts, network and control groups, whoever made them, and 12 KiB of memory.

Written in machine code, since a container is given nothing else: no shell, no library. In words::

    argv is: own name, paths to try, an empty word, the program's own argv
    while the next path may not be executed (access): go on to the one after it
    block SIGUSR1 and the signals that ask programs to end; wait until one has come
    where it is one that asks to end: exit(128 and its number); put the signal mask back
    for each path from there: execve(path, the program's own argv, environ)
    where there is no path left: exit(127)
"""

from __future__ import annotations

import signal
import struct
from dataclasses import replace
from pathlib import Path

from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.volumes.mounts import Mount

NAME = "hearth-wait"
WORD = signal.SIGUSR1
"""What it waits for."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for, unless an image says it; as containerd and docker have it."""
PLACE = f"/dev/{NAME}"
"""In memory: nothing of the image is written to."""

_X86_64 = (  # rbx: argc and what follows; r12: the next path; rbp: the program's own argv
    "4889e3 4c8d6310 4c89e6 "
    "48ad 803800 75f9 4889f5 "  # look for the empty word
    "498b3c24 803f00 7477 6a01 5e 6a15 58 0f05 85c0 7406 4983c408 ebe5 "  # access(path, X_OK)
    "6a00 68074a0008 31ff 4889e6 488d542408 6a08 415a 6a0e 58 0f05 "  # rt_sigprocmask(SIG_BLOCK)
    "4889e7 31f6 31d2 b880000000 0f05 83f80a 740c"  # rt_sigtimedwait, until it is SIGUSR1
    "85c0 78e9 8db880000000 eb2f"  # exit(128 + signal) for others
    "6a02 5f 488d742408 6a0e 58 0f05"  # rt_sigprocmask(SIG_SETMASK)
    "4889ee 488b13 488d54d310 "  # the program's own argv, environ
    "498b3c24 803f00 740b 6a3b 58 0f05 4983c408 ebec "  # execve(path)
    "6a7f 5f 6a3c 58 0f05 "  # exit(127)
)
_AARCH64 = (  # x19: argc and what follows; x20: the next path; x21: the program's own argv
    "910003f3 91004274 aa1403f5 "
    "f84086a9 39400129 35ffffc9 "
    "f9400281 39400029 34000529 92800c60 d2800022 d2800608 d4000001 b4000060 "
    "91002294 17fffff7 "
    "d28940e9 f2a10009 a9bf7fe9 d2800000 910003e1 910023e2 d2800103 d28010e8 "
    "d4000001 "
    "910003e0 d2800001 d2800002 d2801128 d4000001 f100281f 54000080 37ffff20 "
    "91020000 14000010 "
    "d2800040 910023e1 d28010e8 d4000001 aa1503e1 f9400262 8b020e62 91004042 "
    "f8408680 39400009 34000089 d2801ba8 d4000001 17fffffb "
    "d2800fe0 "
    "d2800ba8 d4000001 "
)


def waiter(machine: str) -> bytes | None:
    """The program for a processor as ``platform.machine`` names it; None where there is none."""
    if machine == "x86_64":
        return _executable(62, bytes.fromhex(_X86_64))
    if machine == "aarch64":  # words of 32 bits, the lowest byte first
        words = bytes.fromhex(_AARCH64)
        return _executable(183, b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4)))
    return None


def _executable(machine: int, code: bytes) -> bytes:
    """An ELF file of one segment: the file itself, at 4 MiB (System V ABI, chapter 5)."""
    base, size = 0x400000, 120 + len(code)
    header = struct.pack(
        *("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, machine, 1),
        *(base + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0),
    )
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + code


def waiting(plan: ContainerPlan, program: Path) -> ContainerPlan | None:
    """The plan of a container that waits first; None where a volume covers the waiter's place."""
    if any(mount.target.rstrip("/") in ("", "/dev", PLACE) for mount in plan.mounts):
        return None
    return replace(
        plan,
        args=(PLACE, *_paths(plan), "", *plan.args),
        mounts=(*plan.mounts, Mount(program, PLACE, read_only=True)),
    )


def _paths(plan: ContainerPlan) -> list[str]:
    """Where the program may be, in the order in which it is looked for."""
    program = plan.args[0]
    if "/" in program:
        return [program]
    folders = plan.env.get("PATH", PATH).split(":")
    return [f"{folder}/{program}" for folder in folders if folder.startswith("/") and program]
