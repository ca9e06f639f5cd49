from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hearth.cluster.node.runtime.containers.limits import Limits
from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.containers.security import Security
from hearth.cluster.node.runtime.containers.waiter import PATH, waiter, waiting
from hearth.cluster.node.volumes.mounts import Mount

WAITER = Path("/data/hearth-wait")


def plan(*args: str, **more: object) -> ContainerPlan:
    said = {"args": args, "env": {}, "cwd": "/", "hostname": "pod"}
    return ContainerPlan(**{**said, "security": Security(), "limits": Limits(), **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_it_is_one_small_program_for_each_processor(machine: str, number: int) -> None:
    program = waiter(machine)
    assert program is not None and program.startswith(b"\x7fELF") and len(program) < 400
    kind, processor = struct.unpack_from("<HH", program, 16)
    (entry,) = struct.unpack_from("<Q", program, 24)
    in_file, in_memory = struct.unpack_from("<QQ", program, 64 + 32)
    assert (kind, processor, entry) == (2, number, 0x400000 + 120)
    assert in_file == in_memory == len(program)


def test_there_is_none_for_other_processors() -> None:
    assert waiter("s390x") is None


@pytest.mark.parametrize(
    ("path", "tried"),
    [
        ("/a:/b", ["/a/app", "/b/app"]),
        ("/a::here:/b", ["/a/app", "/b/app"]),
        (None, [f"{folder}/app" for folder in PATH.split(":")]),
    ],
)
def test_a_program_is_looked_for_in_path(path: str | None, tried: list[str]) -> None:
    env = {} if path is None else {"PATH": path}
    made = waiting(plan("app", "", "-v", env=env), WAITER)
    assert made is not None
    assert made.args == ("/dev/hearth-wait", *tried, "", "app", "", "-v")


@pytest.mark.parametrize("program", ["/bin/app", "./app", "bin/app"])
def test_a_path_is_taken_as_it_is(program: str) -> None:
    made = waiting(plan(program), WAITER)
    assert made is not None and made.args == ("/dev/hearth-wait", program, "", program)


def test_it_is_mounted_where_nothing_is_written() -> None:
    mine = Mount(Path("/x"), "/dev/shm", read_only=False)
    made = waiting(plan("/app", mounts=(mine,)), WAITER)
    assert made is not None
    assert made.mounts == (mine, Mount(WAITER, "/dev/hearth-wait", read_only=True))


@pytest.mark.parametrize("target", ["/dev", "/dev/", "/dev/hearth-wait"])
def test_a_volume_in_its_place_keeps_a_container_from_waiting(target: str) -> None:
    assert (
        waiting(plan("/app", mounts=(Mount(Path("/x"), target, read_only=False),)), WAITER) is None
    )
