"""Records which connections to Hearth's pods are opened on a node, while something else uses them.

``python -m tests.bench.cluster.flows --kubeconfig FILE --seconds 600 -o FILE``, on the node, with
the right to follow its connection tracking (``conntrack``). A line for each kind of flow: who opens
it, the pod's app, the port. What is in the file already stays, so that several runs add up. The
test of the NetworkPolicies (``tests/component/install/test_network_policies.py``) holds them
against it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from hearth.kube.client import KubeClient
from hearth.kube.meta import Object, labels
from hearth.kube.resources import PODS
from hearth.kube.views import View

POD, OUTSIDE = "pod", "outside"
APP = "app.kubernetes.io/name"
_LOOK_SECONDS = 1.0
_TUPLES = re.compile(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")


class Flow(NamedTuple):
    """One kind of connection."""

    source: str
    """An app of Hearth's, ``pod`` for any other, ``outside`` for what is no pod."""
    app: str
    port: int


class Seen(NamedTuple):
    """One connection: addresses before anything was translated, and the pod's own afterwards."""

    source: str
    target: str
    port: int


def seen(line: str) -> Seen | None:
    """Read a line of ``conntrack -E``; the reply's source is where a ClusterIP has led to."""
    tuples = _TUPLES.findall(line)
    if len(tuples) != 2 or " tcp " not in f" {line} ":
        return None
    (source, *_), (target, _, port, _) = tuples
    return Seen(source, target, int(port))


def flows(connections: Iterable[Seen], pods: Mapping[str, Object]) -> set[Flow]:
    """Return the kinds of connections that led to pods of Hearth's; ``pods`` are by address."""
    found = set()
    for each in connections:
        app = _app(pods.get(each.target))
        if app:
            source = pods.get(each.source)
            found.add(Flow(OUTSIDE if source is None else _app(source) or POD, app, each.port))
    return found


def _app(pod: Object | None) -> str:
    app = labels(pod).get(APP, "") if pod is not None else ""
    return app if app.startswith("hearth-") else ""


async def _record(kubeconfig: Path, seconds: float) -> set[Flow]:
    connections: set[Seen] = set()
    pods: dict[str, Object] = {}
    process = await asyncio.create_subprocess_exec(
        "conntrack", "-E", "-p", "tcp", "-e", "NEW",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    lines = process.stdout
    try:
        async with (
            KubeClient.from_kubeconfig(kubeconfig) as client,
            asyncio.timeout(seconds),
            asyncio.TaskGroup() as group,
        ):
            group.create_task(_follow_pods(client, pods))
            async for line in lines:
                one = seen(line.decode(errors="replace"))
                if one is not None:
                    connections.add(one)
            raise SystemExit("conntrack has ended: may this user follow connections?")
    except TimeoutError:
        return flows(connections, pods)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _follow_pods(client: KubeClient, pods: dict[str, Object]) -> None:
    while True:
        found, _ = await client.list(PODS)
        for pod in found:
            status, spec = View(pod).status, View(pod).spec
            if status.get("podIP") and not spec.get("hostNetwork"):
                pods[str(status["podIP"])] = pod
        await asyncio.sleep(_LOOK_SECONDS)


def read(path: Path) -> set[Flow]:
    """Return the flows of a file; none where there is no file."""
    if not path.exists():
        return set()
    rows = (line.split() for line in path.read_text().splitlines() if line[:1] not in ("", "#"))
    return {Flow(source, app, int(port)) for source, app, port in rows}


def write(path: Path, found: Iterable[Flow]) -> None:
    """Write flows in order; lines that begin with # at the top of the file stay."""
    before = path.read_text().splitlines() if path.exists() else []
    head = [line for line in before if line.startswith("#")]
    path.write_text("\n".join([*head, *(f"{s} {a} {p}" for s, a, p in sorted(found))]) + "\n")


def main(arguments: list[str]) -> None:
    """Record for so long, and add what is new to the file."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cluster.flows")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    found = asyncio.run(_record(options.kubeconfig, options.seconds))
    write(options.output, read(options.output) | found)


if __name__ == "__main__":
    main(sys.argv[1:])
