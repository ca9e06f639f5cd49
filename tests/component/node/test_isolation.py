"""What an isolated process sees of the machine, and what it may use."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.runtime.api import Exit, Instance
from hearth.cluster.node.runtime.cgroups.files import Folders
from hearth.cluster.node.runtime.cgroups.group import Group
from hearth.cluster.node.runtime.processes.isolation import isolation
from hearth.cluster.node.runtime.processes.isolation.isolation import CannotIsolate
from hearth.cluster.node.runtime.processes.isolation.sandbox import shown_for
from tests.component.node.isolating import isolation_or_skip
from tests.component.node.runtimes.isolated_runtime import Harness
from tests.component.node.runtimes.test_contract import Bench, eventually

ROOT = Path(__file__).resolve().parents[3]
SECRETS = ("home", "data", "tmp")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    harness = Harness(tmp_path)
    made = Bench(harness, harness.runtime(), tmp_path)
    yield made
    for instance in made.started:
        instance.kill()
        await instance.wait()
        await instance.close(sweep=True)
    harness.isolation.sweep(())


@pytest.fixture
def limited(bench: Bench) -> Bench:
    """Where this machine lets us make control groups."""
    if bench.harness.isolation.groups is None:
        pytest.skip(bench.harness.isolation.why_no_limits)
    return bench


async def start(bench: Bench, name: str, script: str, **container: Any) -> Instance:
    request = await bench.request(name, "forever", **container)
    object.__setattr__(request.container, "command", ("/bin/sh", "-c", script))
    return await bench.start_request(request)


def log(bench: Bench, name: str) -> str:
    lines = (bench.folder / "pods" / name / "main" / "0.log").read_text().splitlines()
    return "\n".join(line.split(" ", 3)[3] for line in lines)


async def output(bench: Bench, name: str, script: str, **container: Any) -> str:
    instance = await start(bench, name, script, **container)
    await instance.wait()
    await instance.close(sweep=True)
    bench.started.remove(instance)
    return log(bench, name)


async def test_the_machine_is_seen_and_not_changed(bench: Bench) -> None:
    secret = bench.folder / "secret"
    secret.write_text("token")
    own = f"of-{os.getpid()}"
    script = f"""
    cat {secret} || echo hidden
    ls -A {Path.home()} | wc -l
    touch /etc/x /x /usr/x || echo sealed
    ls /proc | grep -c '^[0-9]'
    echo mine >/tmp/{own} && cat /tmp/{own}
    grep CapEff /proc/self/status
    [ -d /usr/bin ] && [ -c /dev/null ] && echo system
    """
    lines = (await output(bench, "looks", script)).splitlines()
    told = [line for line in lines if not line.startswith(("cat:", "touch:"))]
    assert told[:3] == ["hidden", "0", "sealed"]
    assert int(told[3]) <= 4, "bubblewrap, the shell and what it runs"
    assert told[4:] == ["mine", "CapEff:\t0000000000000000", "system"]
    assert not Path("/tmp", own).exists() and not Path("/etc/x").exists()


async def test_two_containers_do_not_see_each_other(bench: Bench) -> None:
    one = await start(bench, "one", "echo one >/tmp/who; exec sleep 1000")
    two = await start(bench, "two", "echo two >/tmp/who; exec sleep 1000")
    command = ["/bin/sh", "-c", "until cat /tmp/who; do sleep 0.01; done 2>/dev/null; ls /proc"]
    for instance, name in ((one, "one"), (two, "two")):
        shown = (await instance.exec(command, timeout=60)).output.split()
        assert shown[0] == name
        assert len([each for each in shown if each.isdigit()]) <= 5
    outside = await one.exec(["/bin/kill", "-0", str(os.getpid())], timeout=60)
    assert outside.code != 0


async def test_what_an_application_is_made_of_is_shown(bench: Bench) -> None:
    app = bench.folder / "app"
    app.mkdir()
    (app / "word").write_text("shown\n")
    script = "cat word; touch word 2>/dev/null || echo sealed"
    assert await output(bench, "app", script, workingDir=str(app)) == "shown\nsealed"


async def test_volumes_are_at_their_paths_where_nothing_was(bench: Bench) -> None:
    volumes = [
        {"name": "room", "emptyDir": {}},
        {"name": "deep", "emptyDir": {}},
        {"name": "fixed", "emptyDir": {}},
    ]
    mounts = [
        {"name": "room", "mountPath": "/room/of/its/own"},
        {"name": "deep", "mountPath": "/etc/deep/er"},
        {"name": "fixed", "mountPath": "/usr/fixed", "readOnly": True},
    ]
    request = await bench.request("volumes", "forever", volumeMounts=mounts)
    request.facts.pod["spec"]["volumes"] = volumes
    for volume in volumes:
        (request.volumes.pod / "volumes" / str(volume["name"])).mkdir(parents=True)
    script = """
    echo 1 >/room/of/its/own/a && echo 2 >/etc/deep/er/b && ls /etc/passwd
    touch /usr/fixed/c || touch /etc/new || touch /room/new || echo sealed
    """
    object.__setattr__(request.container, "command", ("/bin/sh", "-c", script))
    instance = await bench.start_request(request)
    assert await instance.wait() == Exit(0)
    await instance.close(sweep=True)
    kept = request.volumes.pod / "volumes"
    assert (kept / "room" / "a").read_text() == "1\n"
    assert (kept / "deep" / "b").read_text() == "2\n"
    lines = log(bench, "volumes").splitlines()
    assert lines[0] == "/etc/passwd" and lines[-1] == "sealed"
    assert not Path("/etc/deep").exists() and not Path("/room").exists()


async def test_a_hog_ends_alone_and_is_told(limited: Bench) -> None:
    good = await start(limited, "good", "exec sleep 1000", **memory("64Mi"))
    hog = await start(limited, "hog", "exec tail /dev/zero", **memory("32Mi"))  # one endless line
    async with asyncio.timeout(60):
        assert await hog.wait() == Exit(137, 9, is_out_of_memory=True)
    assert (await good.exec(["/bin/true"], timeout=60)).code == 0
    [use] = [use for use in limited.runtime.usage() if use.pod == "good"]
    assert 0 < use.memory_bytes < 64 << 20


async def test_a_program_finds_its_limits_where_they_are_looked_for(limited: Bench) -> None:
    places = "/sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes"
    script = f"cat {places}; cat /proc/1/cgroup"
    lines = (await output(limited, "limits", script, **memory("64Mi"))).splitlines()
    assert [line for line in lines if line.isdecimal()] == [str(64 << 20)]
    assert {line.rpartition(":")[2] for line in lines if ":memory:" in line} <= {"/"}


async def test_a_fork_bomb_ends_in_its_container(limited: Bench) -> None:
    good = await start(limited, "good", "exec sleep 1000")
    bomb = await start(
        limited, "bomb", "until [ -e /tmp/go ]; do sleep 0.01; done; f() { f | f; }; f"
    )
    group = limited.harness.isolation.group(bomb.container_id.removeprefix("hearth://"))
    folder = group.folders.of("pids")
    assert int((folder / "pids.max").read_text()) == 2048
    (folder / "pids.max").write_text("50")  # as many as this machine can well bear in a test
    await bomb.exec(["/usr/bin/touch", "/tmp/go"], timeout=60)
    await eventually(lambda: (folder / "pids.events").read_text() not in ("max 0\n", ""))
    assert int((folder / "pids.current").read_text()) <= 50
    assert (await good.exec(["/bin/true"], timeout=60)).code == 0
    bomb.kill()
    async with asyncio.timeout(60):
        await bomb.wait()
    await eventually(lambda: group.read().pids == 0)


def memory(amount: str) -> dict[str, Any]:
    return {"resources": {"limits": {"memory": amount, "cpu": "500m"}}}


def test_a_limit_of_cpu_holds(bench: Bench, limited: Bench) -> None:
    found = isolation_or_skip(f"cpu-{uuid.uuid4().hex[:8]}", bench.folder)
    try:
        words = found.limited("one", {"limits": {"cpu": "100m"}})
        script = "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done"
        subprocess.run([*words, "/bin/sh", "-c", script], check=True, timeout=60)
        group = found.group("one")
        assert group is not None
        folder = group.folders.of("cpu")
        assert folder is not None
        stat = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
        assert int(stat["nr_throttled"]) > 0
    finally:
        found.sweep(())
    assert found.groups is not None and not found.groups.is_there()


_AS_ANOTHER = """
import json, subprocess, sys
from pathlib import Path
from hearth.cluster.node.runtime.processes.isolation.isolation import CannotIsolate, find_isolation
folder = Path(sys.argv[1])
try:
    found = find_isolation("another", folder / "home", folder / "home" / "data")
except CannotIsolate as error:
    print(json.dumps({"why": str(error)}))
    sys.exit()
env = {"PATH": "/usr/bin:/bin"}
script = "cat word secret/key; id -u; ls -A " + str(folder / "home")
argv = found.argv(("/bin/sh", "-c", script), env, cwd=str(folder / "home" / "app"), given_env={},
                  own=folder / "home" / "data" / "pod", mark="x")
ended = subprocess.run(argv, env=env, capture_output=True, text=True)
print(json.dumps({"out": ended.stdout, "err": ended.stderr, "limits": found.why_no_limits}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs things as another user")
def test_an_ordinary_user_is_isolated_as_well() -> None:
    found = [sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"]
    folder = Path("/tmp") / f"hearth-test-{uuid.uuid4().hex}"
    app = folder / "home" / "app"
    app.mkdir(parents=True)
    (app / "word").write_text("shown\n")
    (folder / "home" / "private").write_text("")
    search = os.pathsep.join([str(ROOT), *(each for each in sys.path if "site-packages" in each)])
    try:
        for python in found:
            try:
                ended = subprocess.run(
                    [python, "-c", _AS_ANOTHER, str(folder)], user=65534, group=65534, cwd="/",
                    extra_groups=[], env={"PYTHONPATH": search, "PATH": os.environ["PATH"]},
                    capture_output=True, text=True, timeout=60,
                )  # fmt: skip
            except OSError:
                continue
            if ended.returncode == 0:
                break
        else:
            pytest.skip("no Python here that another user may run with our packages")
    finally:
        shutil.rmtree(folder)
    told = json.loads(ended.stdout)
    if "why" in told:
        pytest.skip(told["why"])
    assert told["out"].split() == ["shown", "65534", "app", "data"]
    assert "Permission denied" in told["limits"]


def test_without_bubblewrap_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotIsolate, match="needs the program bwrap: install the package bubble"):
        isolation.find_isolation("none", Path.home(), tmp_path)


def test_where_user_namespaces_are_forbidden_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, script in (
        ("bwrap", "echo No permissions to create namespace >&2; exit 1"),
        ("nsenter", ""),
    ):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(isolation, "find_place", lambda name: (None, "none"))
    with pytest.raises(CannotIsolate, match=r"\(No permissions to create namespace\): allow user"):
        isolation.find_isolation("none", Path.home(), tmp_path)


def test_a_program_in_a_home_is_shown_with_what_belongs_to_it(tmp_path: Path) -> None:
    prefix = tmp_path / "home" / ".local"
    for name in ("bin", "lib", "share"):
        (prefix / name).mkdir(parents=True)
    tool = prefix / "bin" / "tool"
    tool.touch()
    link = tmp_path / "link"
    link.symlink_to(tool)
    around = {tool, prefix / "bin", prefix / "lib"}
    assert shown_for(str(tool)) == around
    assert shown_for(str(link)) == {link, tmp_path, *around}
    assert shown_for("tool") == shown_for(str(tmp_path / "missing")) == set()


def test_folders_that_are_gone_have_nothing_to_sweep(tmp_path: Path) -> None:
    gone = isolation.Isolation("bwrap", Path("/"), (), "x", Group(Folders({}, tmp_path / "gone")))
    gone.sweep(())
    assert not (tmp_path / "gone").exists()
