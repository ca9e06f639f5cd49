"""Containers made ahead of their pods, as each runtime of containers makes them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.runtime.api import CreateError, StartError, StartRequest
from hearth.cluster.node.runtime.containers.plan import plan_container
from hearth.oci.references import parse_reference
from tests.component.node.runtimes.conftest import RUNTIMES
from tests.component.node.runtimes.test_contract import Bench, Harness

CONTAINERS = [
    path for path in RUNTIMES if path.stem.split("_")[0] in ("docker", "podman", "direct")
]
pytestmark = pytest.mark.parametrize(
    "harness_kind", CONTAINERS, indirect=True, ids=lambda path: path.stem.removesuffix("_runtime")
)


@pytest.fixture
async def bench(harness: Harness, tmp_path: Path) -> AsyncIterator[Bench]:
    yield Bench(harness, harness.runtime(), tmp_path)


async def made_ahead(bench: Bench, request: StartRequest) -> Any:
    runtime: Any = bench.runtime
    image = await runtime._images.find(parse_reference(request.container.image))
    plan = plan_container(request, image.config)
    return await runtime._maker.create(request, image, plan, request.network, ahead=True)


def pid_of(ready: Any) -> int:
    return int(ready.process.pid if hasattr(ready, "process") else ready.state.pid)


def words_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]


async def test_a_container_waits_for_its_word(bench: Bench) -> None:
    runtime: Any = bench.runtime
    env = [{"name": "PATH", "value": "/nowhere:/dev:/:/etc"}]
    request = await bench.request("waits", command=["program", "serve"], env=env)
    ready = await made_ahead(bench, request)
    pid = pid_of(ready)
    assert words_of(pid)[:2] == ["/dev/hearth-wait", "/nowhere/program"]
    status = Path(f"/proc/{pid}/smaps_rollup").read_text()
    assert sum(int(line.split()[1]) for line in status.splitlines() if "Pss:" in line) < 64
    with pytest.raises(OSError):  # it has a network, in which nobody listens
        (await runtime.dial("uid-waits", 8080)).close()

    assert pid_of(await runtime._maker.begin(ready)) == pid
    async with asyncio.timeout(60):
        while words_of(pid) != ["program", "serve"]:
            await asyncio.sleep(0.001)
        while True:
            try:
                (await runtime.dial("uid-waits", 8080)).close()
                break
            except OSError:
                await asyncio.sleep(0.001)
        # Its signals are as they were; a program blocks them itself while it makes a thread.
        while "SigBlk:\t0000000000000000" not in Path(f"/proc/{pid}/status").read_text():
            await asyncio.sleep(0.001)
    await runtime._maker.drop(ready)
    assert not Path(f"/proc/{pid}").exists()


async def test_none_waits_for_a_program_that_is_not_there(bench: Bench) -> None:
    runtime: Any = bench.runtime
    request = await bench.request("hollow", command=["missing"])
    with pytest.raises(StartError, match="no program"):
        await made_ahead(bench, request)
    await runtime._aside.settle()
    assert not runtime._maker.making and await runtime.sweep() == 0


async def test_what_has_ended_while_it_waited_does_not_begin(bench: Bench) -> None:
    runtime: Any = bench.runtime
    ready = await made_ahead(bench, await bench.request("ends"))
    (ready.process if hasattr(ready, "process") else ready.watched).signal(9)
    async with asyncio.timeout(60):
        while Path(f"/proc/{pid_of(ready)}").exists():
            await asyncio.sleep(0.001)
    with pytest.raises(StartError, match="while it waited"):
        await runtime._maker.begin(ready)


async def test_what_waits_of_one_pod_shares_its_network(bench: Bench) -> None:
    """Also where the pod that comes has another uid than the one it was made for."""
    runtime: Any = bench.runtime
    one = await bench.request("two")
    one.facts.pod["spec"]["containers"] += [{**one.raw, "name": n} for n in ("second", "third")]
    ready = [await made_ahead(bench, one)]
    two = replace(one, container=replace(one.container, name="second"))
    ready.append(await made_ahead(bench, two))
    runtime.hand_over("uid-two", "uid-real")
    pod = {**one.facts.pod, "metadata": {**one.facts.pod["metadata"], "uid": "uid-real"}}
    facts = replace(one.facts, pod=pod)
    three = replace(one, container=replace(one.container, name="third"), facts=facts)
    ready.append(await made_ahead(bench, three))
    assert len({os.readlink(f"/proc/{pid_of(each)}/ns/net") for each in ready}) == 1
    for each in ready:
        await runtime._maker.drop(each)
    await runtime.remove("uid-real")
    assert await runtime.sweep() == 0


async def test_none_waits_where_a_volume_covers_its_place(bench: Bench) -> None:
    mounts = [{"name": "over", "mountPath": "/dev"}]
    request = await bench.request("covered", volumeMounts=mounts)
    request.facts.pod["spec"]["volumes"] = [{"name": "over", "emptyDir": {}}]
    with pytest.raises(CreateError, match="cannot wait"):
        await made_ahead(bench, request)
