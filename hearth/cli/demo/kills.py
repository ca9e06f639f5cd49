"""Ends processes as a crash does: SIGKILL, and nobody is told."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hearth.cli.demo.stage import Failed, Stage
from hearth.cli.state import read_state
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.resources import PODS


def kill_component(data_dir: Path, name: str) -> None:
    """Kills a process of Hearth, or the server that it runs; it is started again."""
    pid = read_state(data_dir)["components"][name]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(children[0]) if children else pid, signal.SIGKILL)


def kill_pod(name: str) -> None:
    """Kills the process of a pod; Failed where none is found."""
    mark = f"\0HOSTNAME={name}\0".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if mark in b"\0" + environment.read_bytes():
                os.kill(int(environment.parent.name), signal.SIGKILL)
                return
    raise Failed(f"no process of pod {name} was found")


@dataclass(frozen=True, slots=True)
class Kill:
    """What is killed once so many coffees are made."""

    what: str
    made: int
    act: Callable[[], None]


def kills(stage: Stage) -> list[Kill]:
    """Lists what is killed of a coffee shop, in order."""
    killed = partial(kill_component, stage.data_dir)
    nats = [Kill("NATS", 50, lambda: killed("nats"))] if stage.events == "nats" else []
    return [
        Kill("a barista", 20, lambda: kill_pod(_one_of(stage.pods("barista")))),
        Kill("the broker", 35, lambda: killed("broker")),
        *nats,
        Kill("the board", 60, lambda: kill_pod(_one_of(_boards(stage)))),
    ]


def _boards(stage: Stage) -> list[Object]:
    return [pod for pod in stage.objects(PODS) if meta.labels(pod).get("app") == "board"]


def _one_of(pods: Sequence[Object]) -> str:
    """The name of one that is ready."""
    for pod in pods:
        if holds(pod, "Ready"):
            return meta.name(pod)
    raise Failed("no pod is there to be killed")


def holds(obj: Object, condition: str) -> bool:
    """Tells whether a condition of an object is True."""
    conditions = obj.get("status", {}).get("conditions", ())
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)
