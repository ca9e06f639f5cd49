"""The container that holds the network of a pod of several, where Docker makes networks."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import Any

import pytest

from hearth.cluster.node.runtime.api import Instance, StartRequest
from tests.component.node.runtimes.conftest import RUNTIMES
from tests.component.node.runtimes.test_contract import Bench, bench, running_record

__all__ = ["bench"]  # a fixture
pytestmark = pytest.mark.parametrize(
    "harness_kind", [path for path in RUNTIMES if "docker" in path.stem], indirect=True
)


async def two_of(bench: Bench) -> tuple[StartRequest, Instance, Instance]:
    one = await bench.request("pair")
    one.facts.pod["spec"]["containers"] += [{**one.raw, "name": n} for n in ("other", "again")]
    other = replace(one, container=replace(one.container, name="other"))
    started = await asyncio.gather(bench.start_request(one), bench.start_request(other))
    return one, *started


def network_of(instance: Any) -> str:
    return os.readlink(f"/proc/{instance.watched._pid}/ns/net")


def holders(bench: Bench, *more: str) -> list[str]:
    label = "label=io.kubernetes.container.name=POD"
    found: str = bench.harness._engine.run("ps", "-q", "--no-trunc", *more, "--filter", label)
    return found.split()


async def test_containers_that_begin_at_once_share_it(bench: Bench) -> None:
    _, one, other = await two_of(bench)
    assert network_of(one) == network_of(other)
    one.kill()
    await one.wait()
    await one.close(sweep=True)
    assert bench.harness.is_running(other.handle)
    await bench.runtime.remove("uid-pair")
    assert holders(bench, "-a") == []


async def test_it_stays_with_containers_that_are_adopted(bench: Bench) -> None:
    request, one, _ = await two_of(bench)
    after = bench.restarted()
    adopted = await after.runtime.adopt(request, running_record(one))
    assert adopted is not None
    (held,) = holders(bench)
    assert await after.runtime.sweep() == 1  # the other one, which nobody adopted
    assert holders(bench) == [held]
    other = replace(request, container=replace(request.container, name="again"))
    again = await after.start_request(other)
    assert network_of(again) == network_of(adopted)
    for instance in (adopted, again):
        instance.kill()
        await instance.wait()
        await instance.close(sweep=True)
    await after.runtime.remove("uid-pair")
    assert holders(bench, "-a") == []


async def test_another_takes_the_place_of_one_that_has_ended(bench: Bench) -> None:
    """As after a restart of the daemon, which ends all containers."""
    request, one, other = await two_of(bench)
    (held,) = holders(bench)
    for instance in (one, other):
        instance.kill()
        await instance.wait()
        await instance.close(sweep=True)
    bench.harness._engine.run("kill", held)
    instance = await bench.start_request(request)
    assert holders(bench) != [held] and bench.harness.is_running(instance.handle)
    await bench.runtime.remove("uid-pair")
    assert holders(bench, "-a") == []
