"""Puts a runtime by runc or crun together."""

from __future__ import annotations

import os
from ipaddress import IPv4Network
from pathlib import Path

from hearth.cluster.node.runtime.bundles.images import Images
from hearth.cluster.node.runtime.bundles.runtime import BundleRuntime, BundleSettings
from hearth.cluster.node.runtime.podnets.podnets import PodNets
from hearth.kube.clock import Clock
from hearth.oci.manifests import platform_of
from hearth.oci.pulling import Puller
from hearth.oci.registry import client
from hearth.oci.store import ContentStore


def make_runtime(
    node_id: str,
    data_dir: Path,
    *,
    program: str,
    docker_config: Path,
    clock: Clock,
    pod_range: IPv4Network,
) -> BundleRuntime:
    """The runtime of a node; its images and what containers write are below ``data_dir``.

    ``docker_config`` is docker's ``config.json``, for logins at registries.
    """
    folder = data_dir / "containers"
    puller = Puller(ContentStore(folder), client(), platform_of(os.uname().machine))
    images = Images(puller, clock, docker_config)
    settings = BundleSettings(node_id, folder, program)
    nets = PodNets(node_id, within=pod_range, data_dir=data_dir)
    return BundleRuntime(settings, images, nets, clock)
