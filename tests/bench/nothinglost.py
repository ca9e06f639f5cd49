"""1,000 requests a second to a Service while all that can happen to it happens.

Each ``GET`` is sent once and has to be answered: while the Service scales up and down, is rolled
out, gets another route, while pods are deleted and killed, and while an activator is told to end.
Only where an activator is killed, and the connections to it break, clients repeat what is
idempotent (``tests.bench.steadyload``). A ``POST`` is sent once, whatever happens, and no
application may do it twice; where something is killed under it, it may fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.knative.resources import KSERVICES
from hearth.kube.client import KubeClient
from hearth.kube.meta import Object
from hearth.kube.resources import PODS
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row
from tests.bench.steadyload import Load, Seen

RATE = 1000.0
TIMES = 3
SETTLE_SECONDS = 1.0
"""Load before and after what happens, in each scene."""
PODS_AT_LEAST = 2
WORKERS = (1, 2)
_APP = Path(__file__).with_name("recording_app.py")
_NAME = "counted"


@dataclass
class Stage:
    """One Hearth with one Service, and the load on it."""

    hearth: RunningHearth
    client: KubeClient
    load: Load
    record: Path
    times: int = TIMES
    settle_seconds: float = SETTLE_SECONDS
    first_revision: str = ""

    async def until(self, condition: Callable[[], Awaitable[object]], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.05)

    async def pods(self) -> list[str]:
        """The ready pods that stay."""
        found, _ = await self.client.list(PODS, "default")
        return [
            pod["metadata"]["name"]
            for pod in found
            if "deletionTimestamp" not in pod["metadata"]
            and any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in (pod.get("status") or {}).get("conditions") or ()
            )
        ]

    def processes(self) -> list[int]:
        """Those of the application that run."""
        pids = (int(path.name) for path in self.record.iterdir())
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]

    def process_of(self, pod: str) -> int:
        """The process of a pod, by the name that it was given."""
        name = f"HOSTNAME={pod}".encode()
        environments = {
            pid: Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in self.processes()
        }
        return next(pid for pid, environment in environments.items() if name in environment)

    async def change(self, change: Object) -> None:
        """Patch the Service, and wait until that has come about."""
        patched = await self.client.patch(KSERVICES, _NAME, "default", change)
        await self.until(lambda: self.is_ready(patched["metadata"]["generation"]))

    async def is_ready(self, generation: int = 1) -> bool:
        status = (await self.client.get(KSERVICES, _NAME, "default")).get("status") or {}
        return status.get("observedGeneration", 0) >= generation and any(
            c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()
        )

    def activators(self) -> dict[str, dict[str, Any]]:
        state = json.loads((self.hearth.data_dir / "state.json").read_text())
        return {n: entry for n, entry in state["health"].items() if n.startswith("activator")}

    async def end_each_activator(self, number: int) -> None:
        """One after the other, each time until another process is there in its place."""
        for name, before in self.activators().items():
            os.kill(before["pid"], number)

            async def is_anew(name: str = name, pid: int = before["pid"]) -> bool:
                now = self.activators()[name]
                has_ended = not Path(f"/proc/{pid}").exists()
                return has_ended and now["is_ready"] and now["pid"] != pid

            await self.until(is_anew)


# -- what happens -------------------------------------------------------------------------------


async def nothing(stage: Stage) -> None:
    await asyncio.sleep(stage.settle_seconds)


async def scaled_up(stage: Stage) -> None:
    """Requests take longer, so there are more of them at a time."""
    stage.load.work_milliseconds = 60

    async def is_more() -> bool:
        return len(await stage.pods()) > PODS_AT_LEAST

    await stage.until(is_more)


async def scaled_down(stage: Stage) -> None:
    stage.load.work_milliseconds = 5

    async def is_less() -> bool:
        pods = await stage.pods()
        return len(pods) == len(stage.processes()) == PODS_AT_LEAST

    await stage.until(is_less, 90)


async def rolled_out(stage: Stage) -> None:
    for number in range(stage.times):
        container = _container(stage.record, str(number + 1))
        await stage.change({"spec": {"template": {"spec": {"containers": [container]}}}})


async def route_changed(stage: Stage) -> None:
    latest = {"latestRevision": True, "percent": 50}
    first = {"revisionName": stage.first_revision, "percent": 50}
    for _ in range(stage.times):
        await stage.change({"spec": {"traffic": [latest, first]}})
        await asyncio.sleep(stage.settle_seconds)
        await stage.change({"spec": {"traffic": [{**latest, "percent": 100}]}})


async def pods_deleted(stage: Stage) -> None:
    for _ in range(stage.times):
        victim = (await stage.pods())[0]
        await stage.client.delete(PODS, victim, "default")

        async def is_anew(victim: str = victim) -> bool:
            pods = await stage.pods()
            return victim not in pods and len(pods) >= PODS_AT_LEAST

        await stage.until(is_anew)


async def pods_killed(stage: Stage) -> None:
    for number in range(stage.times):
        pods = sorted(await stage.pods())
        victim = stage.process_of(pods[number % len(pods)])  # in turns: they back off
        os.kill(victim, signal.SIGKILL)

        async def is_anew(victim: int = victim) -> bool:
            running = stage.processes()
            return victim not in running and len(running) >= PODS_AT_LEAST

        await stage.until(is_anew)
        await asyncio.sleep(stage.settle_seconds)


async def activators_ended(stage: Stage) -> None:
    for _ in range(stage.times):
        await stage.end_each_activator(signal.SIGTERM)


async def activators_killed(stage: Stage) -> None:
    stage.load.repeats = True
    for _ in range(stage.times):
        await stage.end_each_activator(signal.SIGKILL)
        await asyncio.sleep(stage.settle_seconds)
    stage.load.repeats = False


Scene = Callable[[Stage], Awaitable[None]]
SCENES: tuple[Scene, ...] = (
    nothing,
    scaled_up,
    scaled_down,
    rolled_out,
    route_changed,
    pods_deleted,
    pods_killed,
    activators_ended,
    activators_killed,
)
KILLING = ("pods_killed", "activators_killed")
"""Where a request that is not idempotent may fail."""


# -- playing ------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What was seen in each scene, and what applications noted."""

    scenes: dict[str, Seen]
    done: Counter[str]
    acknowledged: set[str]
    seconds: float

    @property
    def answered(self) -> int:
        return sum(seen.answered for seen in self.scenes.values())

    @property
    def refused(self) -> int:
        return sum(seen.refused for seen in self.scenes.values())

    @property
    def lost(self) -> list[str]:
        return [f"{name}: {text}" for name, seen in self.scenes.items() for text in seen.lost]

    def failed_posts(self, *, killing: bool) -> list[str]:
        """Of scenes in which something is killed, or of the others."""
        return [
            f"{name}: {text}"
            for name, seen in self.scenes.items()
            for text in seen.failed_posts
            if (name in KILLING) is killing
        ]

    @property
    def done_twice(self) -> list[str]:
        return [name for name, times in self.done.items() if times > 1]

    @property
    def not_done(self) -> set[str]:
        """Those that were answered, and that no application has noted."""
        return self.acknowledged - self.done.keys()


def _container(record: Path, version: str) -> Object:
    env = [{"name": "RECORD", "value": str(record)}, {"name": "VERSION", "value": version}]
    return {"image": "bench/recording", "env": env}


@contextlib.asynccontextmanager
async def staged(
    hearth: RunningHearth, rate: float, times: int, settle_seconds: float
) -> AsyncIterator[Stage]:
    record = hearth.data_dir / "record"
    record.mkdir()
    hearth.command(
        "image", "add", "bench/recording", "--workdir", str(hearth.data_dir), "--",
        sys.executable, str(_APP),
    )  # fmt: skip
    annotations = {
        "autoscaling.knative.dev/window": "6s",
        "autoscaling.knative.dev/target": str(int(rate * 0.02)),
        "autoscaling.knative.dev/min-scale": str(PODS_AT_LEAST),
        "autoscaling.knative.dev/max-scale": str(PODS_AT_LEAST + 2),
    }
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": _NAME, "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [_container(record, "0")]},
            }
        },
    }
    async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client:
        await client.create(KSERVICES, service)
        load = Load(hearth.port, f"{_NAME}.default.localhost:{hearth.port}", rate)
        stage = Stage(hearth, client, load, record, times, settle_seconds)
        await stage.until(stage.is_ready)
        status = (await client.get(KSERVICES, _NAME, "default"))["status"]
        stage.first_revision = status["latestReadyRevisionName"]
        yield stage


async def play(
    hearth: RunningHearth,
    *,
    rate: float = RATE,
    times: int = TIMES,
    settle_seconds: float = SETTLE_SECONDS,
    scenes: tuple[Scene, ...] = SCENES,
) -> Outcome:
    """All scenes, one after the other, under one load."""
    found: dict[str, Seen] = {}
    began = time.monotonic()
    async with staged(hearth, rate, times, settle_seconds) as stage:
        async with stage.load.running():
            for scene in scenes:
                stage.load.seen = found[scene.__name__] = Seen()
                await asyncio.sleep(settle_seconds)
                await scene(stage)
                await asyncio.sleep(settle_seconds)
        done = Counter(name for path in stage.record.iterdir() for name in path.read_text().split())
        return Outcome(found, done, stage.load.acknowledged, time.monotonic() - began)


def rows() -> list[Row]:
    found: list[Row] = []
    for workers in WORKERS:
        with RunningHearth("--workers", str(workers)) as hearth:
            outcome = asyncio.run(play(hearth))
        for name, seen in outcome.scenes.items():
            print(f"nothing lost, {workers} workers, {name}: {seen}", file=sys.stderr)
        found += _rows(outcome, f"nothing lost, {workers} activator{'s'[: workers - 1]}:")
    return found


def _rows(outcome: Outcome, title: str) -> list[Row]:
    killed = outcome.scenes["activators_killed"]
    may_fail = len(outcome.failed_posts(killing=True))
    may_not_fail = len(outcome.failed_posts(killing=False))
    return [
        row(f"{title} requests answered", [outcome.answered], ""),
        row(f"{title} of them each second", [outcome.answered / outcome.seconds], "requests/s"),
        row(f"{title} connections refused", [outcome.refused], "", at_most=0),
        row(f"{title} idempotent requests lost", [len(outcome.lost)], "", at_most=0),
        row(f"{title} of them repeated by clients, activator killed", [killed.repeated], ""),
        row(f"{title} POSTs failed, nothing killed", [may_not_fail], "", at_most=0),
        row(f"{title} POSTs failed, pod or activator killed", [may_fail], ""),
        row(f"{title} POSTs done twice", [len(outcome.done_twice)], "", at_most=0),
        row(f"{title} POSTs answered and not done", [len(outcome.not_done)], "", at_most=0),
    ]
