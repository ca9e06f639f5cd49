"""Containers by runc, without an engine, against the same static program as a process."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
from pathlib import Path

import aiohttp

from hearth.cluster.node.images.store import ImageSpec, ImageStore
from hearth.cluster.node.runtime.bundles.runc import find_program
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS
from hearth.oci.loading import load
from hearth.oci.manifests import OCI_MANIFEST, Descriptor
from hearth.oci.packing import Layout
from hearth.oci.references import parse_reference
from hearth.oci.store import ContentStore
from tests.bench.containers import (
    IMAGE,
    PROCESS,
    RUNS,
    STARTS,
    Bench,
    service,
    until_waiting,
    waiting_bytes,
)
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, row
from tests.images import compiled_program, static_image


def bring_images(hearth: RunningHearth, folder: Path) -> None:
    """The same program as an image in the node's own store, and as a command."""
    program = folder / "program"
    program.write_bytes(compiled_program())
    program.chmod(0o755)
    ImageStore(hearth.data_dir).add(PROCESS, ImageSpec((str(program),), ("serve",)))
    image = static_image(folder)
    described = Descriptor(OCI_MANIFEST, image.digest, 0)
    store = ContentStore(hearth.data_dir / "containers")
    load(Layout(image.layout), described, store, parse_reference(IMAGE), now=1.0)


async def _rows(bench: Bench) -> list[Row]:
    first = [await bench.first_start(number) for number in range(STARTS)]
    await bench.create(*(service(f"p-{number}", PROCESS) for number in range(RUNS)))
    processes = await bench.wakes("p")
    await bench.asleep()
    await bench.create(*(service(f"c-{number}", IMAGE) for number in range(RUNS)))
    memory = waiting_bytes((await until_waiting(RUNS))[0])
    wakes = await bench.wakes("c")
    own = statistics.median(processes)
    peers = {"process": own, "container": statistics.median(wakes)}
    beyond = [took - own for took in wakes]
    return [
        row("container by runc: first start, image at hand", first, "ms", at_most=50),
        row("container by runc: wake beyond the process", beyond, "ms", at_most=25, peers=peers),
        row("container by runc: memory of one that waits", [memory], "MiB", at_most=3),
    ]


async def _measure(hearth: RunningHearth) -> list[Row]:
    async with KubeClient.from_kubeconfig(hearth.kubeconfig) as client:
        grace = {"data": {"scale-to-zero-grace-period": "1s"}}
        await client.patch(CONFIGMAPS, "config-autoscaler", "knative-serving", grace)
        async with aiohttp.ClientSession() as http:
            return await _rows(Bench(hearth, client, http))


def rows() -> list[Row]:
    """Skipped, and said, where containers cannot be run directly."""
    if not find_program(os.environ.get("PATH", "")):
        print("skipped, containers without an engine take root and runc", file=sys.stderr)
        return []
    with RunningHearth("--runtime", "runc") as hearth, tempfile.TemporaryDirectory() as folder:
        bring_images(hearth, Path(folder))
        return asyncio.run(_measure(hearth))
