"""The node process ends in every way there is; its pods are found again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.main import NodeConfig
from hearth.cluster.node.pod import lifecycle
from hearth.cluster.node.runtime.processes.procfs import start_ticks
from hearth.cluster.node.runtime.processes.runtime import ProcessRuntime
from hearth.cluster.node.worker.folder import PodFolder
from hearth.kube.resources import NODES

Cluster = Any
Look = Any
Runner = Callable[[NodeConfig], contextlib.AbstractAsyncContextManager[None]]

TICKER = "echo pid $$; while :; do echo tick; sleep 0.02; done"
_NODE = """
import asyncio, sys
from pathlib import Path
from hearth.cluster.node.main import NodeConfig, run
config = NodeConfig(Path(sys.argv[1]), Path(sys.argv[2]), "node", termination_delay=0.01)
asyncio.run(run(config, lambda: print("ready", flush=True)))
"""


def start_node(cluster: Cluster) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", _NODE, str(cluster.server.kubeconfig), str(cluster.data_dir)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])


def start_bystander() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "1000"], start_new_session=True)


@contextlib.asynccontextmanager
async def node_process(cluster: Cluster) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A node in a process of its own, to be killed."""
    process = start_node(cluster)
    assert process.stdout is not None
    try:
        line = await asyncio.to_thread(process.stdout.readline)
        assert line == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def config(bare_cluster: Cluster) -> NodeConfig:
    return NodeConfig(
        kubeconfig=bare_cluster.server.kubeconfig,
        data_dir=bare_cluster.data_dir,
        node_name="node",
        stop_grace_seconds=0.5,
        termination_delay=0.01,
    )


async def pid_of(cluster: Cluster, name: str) -> int:
    log = await cluster.until_log(name, "pid ")
    return int(log.rpartition("pid ")[2].split()[0])


async def ended(pid: int) -> None:
    async with asyncio.timeout(60):
        while start_ticks(pid) is not None:
            await asyncio.sleep(0.01)


async def test_pods_run_on_when_the_node_is_killed(
    bare_cluster: Cluster, look: Look, config: NodeConfig, node_runner: Runner
) -> None:
    async with node_process(bare_cluster) as node:
        await bare_cluster.create("steady", TICKER, restartPolicy="Always")
        before = await bare_cluster.until("steady", look.is_ready)
        pid = await pid_of(bare_cluster, "steady")
        node.send_signal(signal.SIGKILL)
        node.wait()
    assert start_ticks(pid) is not None
    log_before = await bare_cluster.until_log("steady", "tick")
    async with node_runner(config):
        await bare_cluster.until_log("steady", log_before + "2")  # the log goes on where it was
        pod = await bare_cluster.until("steady", look.is_ready)
        status = pod["status"]["containerStatuses"][0]
        assert status["restartCount"] == 0
        assert status["containerID"] == before["status"]["containerStatuses"][0]["containerID"]
        assert await pid_of(bare_cluster, "steady") == pid
        await bare_cluster.delete("steady")
        await bare_cluster.until_gone("steady")
    await ended(pid)


async def test_a_pod_that_died_meanwhile_runs_again(
    bare_cluster: Cluster, look: Look, config: NodeConfig, node_runner: Runner
) -> None:
    async with node_process(bare_cluster) as node:
        await bare_cluster.create("mortal", TICKER, restartPolicy="Always")
        await bare_cluster.until("mortal", look.is_ready)
        pid = await pid_of(bare_cluster, "mortal")
        node.send_signal(signal.SIGKILL)
        node.wait()
    os.kill(pid, signal.SIGKILL)
    await ended(pid)
    async with node_runner(config):
        pod = await bare_cluster.until(
            "mortal", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1
        )
        last = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (137, "ContainerStatusUnknown")


async def test_processes_of_pods_that_are_gone_are_ended(
    bare_cluster: Cluster, look: Look, config: NodeConfig, node_runner: Runner
) -> None:
    async with node_process(bare_cluster) as node:
        await bare_cluster.create("orphan", TICKER)
        await bare_cluster.until("orphan", look.is_ready)
        pid = await pid_of(bare_cluster, "orphan")
        node.send_signal(signal.SIGKILL)
        node.wait()
    await bare_cluster.delete("orphan", grace_period_seconds=0)
    async with node_runner(config):
        await ended(pid)
        assert not any((bare_cluster.data_dir / "pods").iterdir())


async def test_a_deletion_meanwhile_is_carried_out(
    bare_cluster: Cluster, look: Look, config: NodeConfig, node_runner: Runner
) -> None:
    async with node_process(bare_cluster) as node:
        await bare_cluster.create("leaving", TICKER)
        await bare_cluster.until("leaving", look.is_ready)
        pid = await pid_of(bare_cluster, "leaving")
        node.send_signal(signal.SIGKILL)
        node.wait()
    await bare_cluster.delete("leaving")
    async with node_runner(config):
        await bare_cluster.until_gone("leaving")
    await ended(pid)


async def test_a_process_that_is_on_no_record_is_found_by_its_mark(
    bare_cluster: Cluster, look: Look, config: NodeConfig, node_runner: Runner
) -> None:
    """The node was killed between the start of a process and writing it down."""
    async with node_process(bare_cluster) as node:
        await bare_cluster.create("unnoted", TICKER, restartPolicy="Always")
        await bare_cluster.until("unnoted", look.is_ready)
        pid = await pid_of(bare_cluster, "unnoted")
        node.send_signal(signal.SIGKILL)
        node.wait()
    (folder,) = (bare_cluster.data_dir / "pods").iterdir()
    (folder / "state.json").unlink()
    async with node_runner(config):
        await ended(pid)
        await bare_cluster.until(
            "unnoted", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1
        )


async def test_a_number_that_changed_hands_is_left_alone(
    bare_cluster: Cluster, look: Look, config: NodeConfig, node_runner: Runner
) -> None:
    """The pid on record now belongs to somebody else: it is not signalled."""
    async with node_process(bare_cluster) as node:
        await bare_cluster.create("reused", TICKER, restartPolicy="Always")
        await bare_cluster.until("reused", look.is_ready)
        pid = await pid_of(bare_cluster, "reused")
        node.send_signal(signal.SIGKILL)
        node.wait()
    os.kill(pid, signal.SIGKILL)
    await ended(pid)
    bystander = start_bystander()
    try:
        (path,) = (bare_cluster.data_dir / "pods").iterdir()
        state = (path / "state.json").read_text()
        (path / "state.json").write_text(state.replace(f'"{pid}:', f'"{bystander.pid}:'))
        assert PodFolder(path).load() is not None
        async with node_runner(config):
            await bare_cluster.until(
                "reused", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1
            )
            await bare_cluster.delete("reused")
            await bare_cluster.until_gone("reused")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


async def test_a_stopped_node_ends_its_processes_and_starts_them_again(
    bare_cluster: Cluster, look: Look, config: NodeConfig, node_runner: Runner
) -> None:
    async with node_runner(config):
        await bare_cluster.create("again", TICKER, restartPolicy="Always")
        await bare_cluster.create("done", "exit 0")
        await bare_cluster.until("again", look.is_ready)
        await bare_cluster.until("done", lambda pod: look.phase(pod) == "Succeeded")
        pid = await pid_of(bare_cluster, "again")
    assert start_ticks(pid) is None
    async with node_runner(config):
        pod = await bare_cluster.until(
            "again",
            lambda pod: (
                look.is_ready(pod) and pod["status"]["containerStatuses"][0]["restartCount"] == 1
            ),
        )
        assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 143
        done = await bare_cluster.get("done")
        assert done["status"]["containerStatuses"][0]["restartCount"] == 0
        assert look.phase(done) == "Succeeded"
        await bare_cluster.delete("done")
        await bare_cluster.until_gone("done")


async def test_the_node_object(
    bare_cluster: Cluster, config: NodeConfig, node_runner: Runner
) -> None:
    async with node_runner(config):
        node = await bare_cluster.client.get(NODES, "node")
        conditions = {c["type"]: c["status"] for c in node["status"]["conditions"]}
        assert conditions["Ready"] == "True"
        assert int(node["status"]["allocatable"]["cpu"]) >= 1
    async with node_runner(config):  # a node that is there already is taken over
        again = await bare_cluster.client.get(NODES, "node")
        assert again["metadata"]["uid"] == node["metadata"]["uid"]


async def test_a_worker_that_fails_is_begun_anew(
    bare_cluster: Cluster,
    look: Look,
    config: NodeConfig,
    node_runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fault of our own in one pod ends neither the node nor, for good, the pod."""
    whole, failures = lifecycle.step, iter([True])

    def step(*args: Any) -> lifecycle.Step:
        if args[0].name == "victim" and args[1].records and next(failures, False):
            raise RuntimeError("never foreseen")
        return whole(*args)

    monkeypatch.setattr(lifecycle, "step", step)
    async with node_runner(config):
        await bare_cluster.create("victim", TICKER, restartPolicy="Always")
        await bare_cluster.create("other", "exit 0")
        await bare_cluster.until("other", lambda pod: look.phase(pod) == "Succeeded")
        await bare_cluster.until("victim", look.is_ready)
    assert next(failures, None) is None


async def test_a_pod_that_cannot_be_restored_is_begun_anew(
    bare_cluster: Cluster,
    look: Look,
    config: NodeConfig,
    node_runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with node_process(bare_cluster) as node:
        for name in ("victim", "other"):
            await bare_cluster.create(name, TICKER, restartPolicy="Always")
            await bare_cluster.until(name, look.is_ready)
        pids = [await pid_of(bare_cluster, name) for name in ("victim", "other")]
        node.send_signal(signal.SIGKILL)
        node.wait()
    adopt = ProcessRuntime.adopt

    async def failing(self: ProcessRuntime, request: Any, record: Any) -> Any:
        if request.facts.pod["metadata"]["name"] == "victim":
            raise RuntimeError("never foreseen")
        return await adopt(self, request, record)

    monkeypatch.setattr(ProcessRuntime, "adopt", failing)
    async with node_runner(config):
        await ended(pids[0])
        await bare_cluster.until(
            "victim", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1
        )
        assert start_ticks(pids[1]) is not None


async def test_nothing_is_started_while_what_an_earlier_run_left_is_ended(
    bare_cluster: Cluster,
    look: Look,
    config: NodeConfig,
    node_runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A start in the middle of it would be taken for a leftover."""
    async with node_process(bare_cluster) as node:
        await bare_cluster.create("mortal", TICKER, restartPolicy="Always")
        await bare_cluster.until("mortal", look.is_ready)
        pid = await pid_of(bare_cluster, "mortal")
        node.send_signal(signal.SIGKILL)
        node.wait()
    os.kill(pid, signal.SIGKILL)
    await ended(pid)
    sweep = ProcessRuntime.sweep
    at_work: list[str] = []

    async def looking(self: ProcessRuntime) -> int:
        at_work.extend(task.get_name() for task in asyncio.all_tasks())
        return await sweep(self)

    monkeypatch.setattr(ProcessRuntime, "sweep", looking)
    async with node_runner(config):
        await bare_cluster.until(
            "mortal", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1
        )
        assert "node-pods" in at_work
        assert not [name for name in at_work if name.endswith("-mortal")]
        monkeypatch.undo()
