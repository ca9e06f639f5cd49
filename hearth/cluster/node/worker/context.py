"""What all pod workers of a node share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.node.runtime.api import Runtime
from hearth.cluster.node.volumes.folders import VolumeFolders
from hearth.cluster.node.volumes.sources import ClusterSources
from hearth.cluster.node.worker.events import EventRecorder
from hearth.cluster.node.worker.reach import Reach
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock


@dataclass(slots=True)
class NodeContext:
    """Shared services and settings; made once by ``main``."""

    client: KubeClient
    clock: Clock
    data_dir: Path
    node_name: str
    runtime: Runtime
    events: EventRecorder
    sources: ClusterSources
    reach: Reach
    allow_host_path: bool = False
    termination_delay: float = 0.2
    """Seconds between a pod's deletion and SIGTERM, in which traffic turns away from it."""
    allocatable: Mapping[str, str] = field(default_factory=dict)

    @property
    def pods_dir(self) -> Path:
        """The folder that holds a folder for each pod."""
        return self.data_dir / "pods"

    def volume_folders(self, pod_folder: Path) -> VolumeFolders:
        """Where the volumes of the pod with that folder are kept."""
        return VolumeFolders(pod_folder, self.data_dir / "claims", self.allow_host_path)
