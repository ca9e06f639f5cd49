"""Containers by runc, without an engine, against the same static program as a process."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from hearth.cluster.node.runtime.bundles.runc import find_program
from hearth.oci.loading import load
from hearth.oci.manifests import OCI_MANIFEST, Descriptor
from hearth.oci.packing import Layout
from hearth.oci.references import parse_reference
from hearth.oci.store import ContentStore
from tests.bench.containers import IMAGE, add_process, measure, short_rows
from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row
from tests.images import static_image


def bring_images(hearth: RunningHearth, folder: Path) -> None:
    """The same program as an image in the node's own store, and as a command."""
    add_process(hearth, folder)
    image = static_image(folder)
    described = Descriptor(OCI_MANIFEST, image.digest, 0)
    store = ContentStore(hearth.data_dir / "containers")
    load(Layout(image.layout), described, store, parse_reference(IMAGE), now=1.0)


def rows() -> list[Row]:
    """Skipped, and said, where containers cannot be run directly."""
    if not find_program(os.environ.get("PATH", "")):
        print("skipped, containers without an engine take root and runc", file=sys.stderr)
        return []
    with RunningHearth("--runtime", "runc") as hearth, tempfile.TemporaryDirectory() as folder:
        bring_images(hearth, Path(folder))
        return asyncio.run(measure(hearth, partial(short_rows, by="runc", wake=25, first=50)))
