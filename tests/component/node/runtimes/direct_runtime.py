"""The suite's programs in an image of one static program, run by runc or crun."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from pathlib import Path

from hearth.cluster.node.runtime.bundles.handles import Handle
from hearth.cluster.node.runtime.bundles.images import Images
from hearth.cluster.node.runtime.bundles.runc import find_program
from hearth.cluster.node.runtime.bundles.runtime import BundleRuntime, BundleSettings
from hearth.cluster.node.runtime.podnets.podnets import PodNets
from hearth.cluster.node.runtime.processes.procfs import start_ticks
from hearth.oci.loading import load
from hearth.oci.manifests import OCI_MANIFEST, Descriptor
from hearth.oci.packing import Layout
from hearth.oci.pulling import Puller
from hearth.oci.references import parse_reference
from hearth.oci.registry import client
from hearth.oci.store import ContentStore
from tests.component.keda.servers import missing
from tests.images import TestImage, is_root


class Harness:
    image = "app:1"
    needs = ("static_layout",)

    def __init__(self, data_dir: Path, image: TestImage) -> None:
        self._program = find_program() if is_root() else ""
        if not self._program:
            missing("without root and runc no containers were run directly")
        self._data_dir = data_dir / "direct"
        self._node_id = uuid.uuid4().hex
        self._store = ContentStore(self._data_dir)
        described = Descriptor(OCI_MANIFEST, image.digest, 0)
        name = parse_reference(self.image)
        self._app = load(Layout(image.layout), described, self._store, name, now=1.0)

    def runtime(self) -> BundleRuntime:
        puller = Puller(self._store, client(), self._app.config.platform)
        images = Images(puller, time.time, self._data_dir / "config.json")
        settings = BundleSettings(self._node_id, self._data_dir, self._program)
        nets = PodNets(self._node_id, data_dir=self._data_dir)
        return BundleRuntime(settings, images, nets, time.time)

    def program(self, *words: str) -> list[str]:
        return ["/no/such/program"] if words[0] == "missing" else ["/program", *words]

    def add_image(self, name: str) -> None:
        self._store.add(replace(self._app, name=str(parse_reference(name))))

    def is_running(self, handle: str) -> bool:
        found = Handle.parse(handle)
        return found is not None and start_ticks(found.pid) == found.ticks
