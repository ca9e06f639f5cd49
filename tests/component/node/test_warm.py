"""Warm interpreters: what they make is a program like any other, and they never are in the way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster import readynames
from hearth.cluster.node.images.store import ImageSpec
from hearth.cluster.node.main import NodeConfig
from hearth.cluster.node.pod.environment import Facts
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import WARM, parse_pod
from hearth.cluster.node.runtime.api import ContainerFiles, CreateError, Instance, StartRequest
from hearth.cluster.node.runtime.processes import procfs
from hearth.cluster.node.runtime.processes.fostering import FOSTER
from hearth.cluster.node.runtime.processes.runtime import ProcessRuntime
from hearth.cluster.node.runtime.processes.warm import keeping
from hearth.cluster.node.volumes.folders import VolumeFolders
from hearth.cluster.node.volumes.sources import Snapshot
from hearth.kube.resources import EVENTS
from tests.component.node.runtimes import isolated_runtime, processes_runtime
from tests.component.node.test_ahead import Workload, is_ready
from tests.waiting import until

Cluster = Any
Runner = Any

FACTS = """
import json, os, random, resource, signal, sys, threading
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
facts = {
    "fds": sorted(set(os.listdir("/proc/self/fd")) - {"3"}),
    "env": dict(os.environ),
    "kernel": sorted(filter(None, open("/proc/self/environ").read().split("\\0"))),
    "argv": sys.argv, "orig": sys.orig_argv, "path": sys.path, "main": __file__, "name": __name__,
    "cmdline": open("/proc/self/cmdline").read().rstrip("\\0").split("\\0"),
    "cwd": os.getcwd(), "leads": os.getsid(0) == os.getpgrp() == os.getpid(),
    "parent": os.getppid(), "umask": os.umask(0), "uid": os.getuid(), "nice": os.nice(0),
    "threads": threading.active_count(), "flags": str(sys.flags),
    "limits": [resource.getrlimit(each) for each in range(10)],
    "signals": [status[each] for each in ("SigBlk", "SigIgn", "SigCgt")],
    "module": sys.modules["__main__"].__dict__.get("facts") is None,
}
print(json.dumps({"facts": facts, "random": random.random()}))
"""


class Machine:
    """A runtime, and pods that ask for a warm interpreter."""

    def __init__(self, runtime: ProcessRuntime, folder: Path) -> None:
        self.runtime, self.folder = runtime, folder
        self.events: list[tuple[str, ...]] = []
        self.started: list[Instance] = []

    async def request(
        self, name: str, *argv: str, warm: bool = True, **fields: Any
    ) -> StartRequest:
        spec = {"volumes": fields.pop("volumes", [])}
        command = list(argv) if argv[0].startswith("/") else [sys.executable, *argv]
        main = {"name": "main", "image": "app", "workingDir": str(self.folder)}
        spec["containers"] = [{**main, "command": command, **fields}]
        metadata: dict[str, Any] = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
        if warm:
            metadata["annotations"] = {WARM: "enabled"}
        pod = {"metadata": metadata, "spec": spec}
        place = self.folder / "pods" / name / "main"
        place.mkdir(parents=True, exist_ok=True)
        (place / "termination-log").touch()
        view = parse_pod(pod)
        return StartRequest(
            container=view.containers[0],
            restarts=0,
            network=await self.runtime.prepare(view, PodNetwork()),
            facts=Facts(pod, "node", {}),
            sources=Snapshot({}),
            volumes=VolumeFolders(place.parent, self.folder / "claims"),
            files=ContainerFiles(place, place / "0.log", place / "termination-log"),
            report=lambda *event: self.events.append(event),
        )

    async def run(self, request: StartRequest) -> tuple[int | None, str]:
        """Exit code and output; text alone of each line."""
        instance = await self.runtime.start(request)
        self.started.append(instance)
        code = (await instance.wait()).code
        await instance.close(sweep=True)
        lines = request.files.log.read_text().splitlines() if request.files.log.exists() else []
        return code, "\n".join(line.split(" ", 3)[3] for line in lines)

    async def warmed(self, name: str, *argv: str, **fields: Any) -> StartRequest:
        request = await self.request(name, *argv, **fields)
        await self.runtime.preparing.make_ahead(request)
        return request

    def starts(self) -> list[str]:
        """How each was started that asked for it."""
        return [event[1] for event in self.events if event[1] in ("WarmStart", "NotWarm")]

    def zygotes(self) -> list[int]:
        return [zygote.process.pid for zygote in self.runtime.preparing._warm.values()]


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(processes_runtime.Harness(tmp_path).runtime(), tmp_path)
    yield made
    for instance in made.started:
        instance.kill()
    await made.runtime.close()


def written(machine: Machine, text: str, name: str = "main.py") -> str:
    (machine.folder / name).write_text(text)
    return name


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def open_files(pid: int) -> list[str]:
    return [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]


# -- what is made ---------------------------------------------------------------------------------


async def test_a_fork_is_what_an_ordinary_process_is(machine: Machine) -> None:
    name = written(machine, FACTS)
    found = []
    for warm in (False, True, True):
        env = [{"name": "TOLD", "value": "größe"}]
        request = await machine.request("one", "-X", "utf8", name, "word", warm=warm, env=env)
        if warm:
            await machine.runtime.preparing.make_ahead(request)
        code, text = await machine.run(request)
        assert code == 0, text
        found.append(json.loads(text.splitlines()[-1]))
    assert machine.starts() == ["WarmStart", "WarmStart"]
    ordinary, first, second = (each["facts"] for each in found)
    for facts in (ordinary, first, second):
        for environment in (facts["env"], facts["kernel"]):
            assert "größe" in str(environment)
        facts["env"].pop("HEARTH_CONTAINER_ID")
        facts["kernel"] = [e for e in facts["kernel"] if not e.startswith("HEARTH_CONTAINER_ID=")]
    assert ordinary == first == second
    assert len({each["random"] for each in found}) == 3


async def test_it_begins_when_its_parent_is_the_one_that_stays(machine: Machine) -> None:
    """What is between it and us ends first, however long that takes."""
    name = written(machine, "import os; print(os.getppid())")
    request = await machine.warmed("one", name)
    [zygote] = machine.zygotes()
    await until(lambda: [p for p in children(zygote) if name_of(p) == "cat" and children(p)])
    [between] = children(zygote)
    [waiting] = children(between)
    until_told_to_end = os.readlink(f"/proc/{between}/fd/0")
    os.kill(between, signal.SIGSTOP)
    running = asyncio.create_task(machine.run(request))
    await until(lambda: until_told_to_end not in open_files(zygote))
    await until(lambda: (procfs.stat_fields(waiting) or [b"Z"])[0] in b"SZ")
    os.kill(between, signal.SIGCONT)
    assert await running == (0, str(os.getpid()))


async def test_nothing_of_one_program_is_in_the_next(machine: Machine) -> None:
    name = written(
        machine,
        "import re, sys\n"
        "for line in open('/proc/self/maps'):\n"
        "    start, end = (int(x, 16) for x in line.split()[0].split('-'))\n"
        "    if 'rw' in line.split()[1] and '[v' not in line:\n"
        "        with open('/proc/self/mem', 'rb') as memory:\n"
        "            memory.seek(start)\n"
        "            if re.search(b'hunter[2]2', memory.read(end - start)): sys.exit(3)\n",
    )
    secret = [{"name": "TOKEN", "value": "hunter" + "22"}]
    with_secret = await machine.warmed("one", name, env=secret)
    assert (await machine.run(with_secret))[0] == 3  # it is looked for in the right places
    assert await machine.run(await machine.request("two", name)) == (0, "")
    assert machine.starts() == ["WarmStart", "WarmStart"]


@pytest.mark.parametrize(
    "text",
    ["def f():\n    1 / 0\nf()", "import sys\nsys.exit('no database')", "x = (", "import no.such"],
)
async def test_failures_read_as_ever(machine: Machine, text: str) -> None:
    name = written(machine, text)
    ordinary = await machine.run(await machine.request("one", name, warm=False))
    warm = await machine.run(await machine.warmed("two", name))
    assert machine.starts() == ["WarmStart"]
    assert warm == ordinary and warm[0] == 1


async def test_a_module_runs_as_a_module(machine: Machine) -> None:
    (machine.folder / "shop").mkdir()
    written(machine, "import sys; print(__package__, sys.argv, sys.path[0])", "shop/__main__.py")
    ordinary = await machine.run(await machine.request("one", "-m", "shop", "a", warm=False))
    warm = await machine.run(await machine.warmed("two", "-m", "shop", "a"))
    assert machine.starts() == ["WarmStart"] and warm == ordinary


async def test_volumes_are_where_they_are_mounted(machine: Machine) -> None:
    if not await machine.runtime._mounter.is_possible():
        pytest.skip("this machine allows no mounts")
    name = written(machine, "print(open('/warm/test/file').read(), __import__('os').getcwd())")
    volume = {"name": "files", "emptyDir": {}}
    mount = {"name": "files", "mountPath": "/warm/test"}
    request = await machine.request("one", name, volumes=[volume], volumeMounts=[mount])
    place = machine.folder / "pods" / "one" / "volumes" / "files"
    place.mkdir(parents=True)
    (place / "file").write_text("there")
    await machine.runtime.preparing.make_ahead(request)
    assert await machine.run(request) == (0, f"there {machine.folder}")
    assert machine.starts() == ["WarmStart"]


# -- what is imported -----------------------------------------------------------------------------


async def test_what_cannot_be_forked_is_left_out(machine: Machine) -> None:
    packages = machine.folder / "elsewhere"
    packages.mkdir()
    (packages / "threaded.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    )
    (packages / "opened.py").write_text("file = open('/dev/null')")
    (packages / "plain.py").write_text("import os\nwho = os.getpid()")
    app = machine.folder / "app"
    app.mkdir()
    text = "import os, threaded, opened, plain, broken_one\n"
    (app / "main.py").write_text(
        text.replace(", broken_one", "") + "print(plain.who != os.getpid())"
    )
    (app / "other.py").write_text(text)
    env = [{"name": "PYTHONPATH", "value": str(packages)}]
    request = await machine.warmed("one", "main.py", env=env, workingDir=str(app))
    [zygote] = machine.runtime.preparing._warm.values()
    assert set(zygote.left_out) == {"threaded", "opened", "broken_one"}
    assert await machine.run(request) == (0, "True")


# -- keeping --------------------------------------------------------------------------------------


async def test_one_that_was_killed_is_not_missed(machine: Machine) -> None:
    request = await machine.warmed("one", written(machine, "print('here')"))
    [zygote] = machine.runtime.preparing._warm.values()
    zygote.process.signal_group(signal.SIGKILL)
    assert await machine.run(request) == (0, "here")
    assert machine.starts() == []
    await until(lambda: not machine.zygotes())
    assert not await machine.runtime.preparing.fits(request)  # so it is made again


async def test_nothing_is_left_of_one_that_ends_while_another_makes_a_program(
    machine: Machine,
) -> None:
    """Then its children are ours, and nobody else would see them off."""
    await machine.warmed("one", written(machine, ""))
    [zygote] = machine.runtime.preparing._warm.values()
    pid = zygote.process.pid
    await until(lambda: [p for p in children(pid) if name_of(p) == "cat" and children(p)])
    [between] = children(pid)
    spare = [between, *children(between)]
    with FOSTER.children():
        zygote.process.signal_group(signal.SIGKILL)
        await until(lambda: not machine.zygotes())
    assert not set(spare) & set(children(os.getpid()))


async def test_programs_share_one_and_it_ends_with_the_last(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_LINGER_SECONDS", 0.0)
    for name in ("one", "two"):
        request = await machine.warmed(name, written(machine, "import json"), name)
        assert await machine.runtime.preparing.fits(request)
    [pid] = machine.zygotes()
    machine.runtime.preparing.hand_over("uid-two", "uid-three")
    await machine.runtime.remove("uid-one")
    assert machine.zygotes() == [pid]
    await machine.runtime.remove("uid-three")
    await until(lambda: not machine.zygotes() and procfs.start_ticks(pid) is None)


async def test_the_oldest_gives_way(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST", 1)
    written(machine, "")
    one = await machine.warmed("one", "-B", "main.py")
    [pid] = machine.zygotes()
    await machine.warmed("two", "-E", "main.py")
    assert len(machine.zygotes()) == 1 and machine.zygotes() != [pid]
    assert await machine.runtime.preparing.fits(one)  # it is not made again for that
    monkeypatch.setattr(keeping, "_SHARE_OF_MEMORY", 1 << 40)
    with pytest.raises(CreateError, match="more memory"):
        await machine.warmed("three", "-S", "main.py")
    assert machine.zygotes() == []


@pytest.mark.parametrize(
    ("argv", "fields", "why"),
    [
        (("/bin/sh", "-c", "exit 0"), {}, "no Python program"),
        (("-c", "pass"), {}, "no Python program"),
        (("main.py",), {"tty": True}, "a terminal"),
    ],
)
async def test_what_cannot_be_warm_is_told(
    machine: Machine, argv: tuple[str, ...], fields: dict[str, Any], why: str
) -> None:
    written(machine, "")
    assert (await machine.run(await machine.request("one", *argv, **fields)))[0] == 0
    assert [e[2] for e in machine.events if e[1] == "NotWarm" and why in e[2]]


async def test_isolated_processes_are_not_warm(tmp_path: Path) -> None:
    machine = Machine(isolated_runtime.Harness(tmp_path).runtime(), tmp_path)
    request = await machine.request("one", "/bin/sh", "-c", "exit 0")
    assert not machine.runtime.preparing.covers(parse_pod(request.facts.pod))
    assert (await machine.run(request))[0] == 0
    assert machine.starts() == ["NotWarm"]
    await machine.runtime.close()


async def warm_starts(cluster: Cluster) -> list[str]:
    events, _ = await cluster.client.list(EVENTS, "default")
    return [each["involvedObject"]["name"] for each in events if each["reason"] == "WarmStart"]


async def test_what_sleeps_has_one(bare_cluster: Cluster, node_runner: Runner) -> None:
    """Nothing is made for a pod that has not asked; what has asked wakes by it."""
    config = NodeConfig(
        kubeconfig=bare_cluster.server.kubeconfig,
        data_dir=bare_cluster.data_dir,
        node_name="node",
        calm_seconds=0.02,
        termination_delay=0.01,
    )
    script = processes_runtime.SERVER
    command = (sys.executable, "-S", "-E", str(script))
    bare_cluster.images.add("web", ImageSpec(entrypoint=command, workdir=str(script.parent)))
    async with node_runner(config):
        main = {"name": "main", "image": "web", "ports": [{"containerPort": 8080}]}
        workload = await Workload.create(bare_cluster, {"containers": [main]}, {WARM: "enabled"})
        await workload.run("first")
        name = await workload.sleep("first")
        pod = await workload.run(name)
        assert is_ready(pod)
        async with asyncio.timeout(60):
            while not (warm := await warm_starts(bare_cluster)):
                await asyncio.sleep(0.01)
        assert warm == [name]
    assert readynames.offered(workload.uid) == ""
