"""What all pod workers of a node share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.runtime.api import Runtime
from hearth.cluster.node.volumes.folders import VolumeFolders
from hearth.cluster.node.volumes.sources import ClusterSources
from hearth.cluster.node.worker.events import PodEvents
from hearth.cluster.node.worker.folder import PodFolder
from hearth.cluster.node.worker.reach import Reach
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock
from hearth.kube.meta import Object

Claim = Callable[[Object, PodFolder], PodNetwork | None]
"""Makes what was made ahead of a pod the pod's: its folder, and the network that is returned."""


@dataclass(slots=True)
class NodeContext:
    """Shared services and settings; made once by ``main``."""

    client: KubeClient
    clock: Clock
    data_dir: Path
    node_name: str
    runtime: Runtime
    events: PodEvents
    sources: ClusterSources
    reach: Reach
    allow_host_path: bool = False
    termination_delay: float = 0.2
    """Seconds between a pod's deletion and SIGTERM, in which traffic turns away from it."""
    allocatable: Mapping[str, str] = field(default_factory=dict)
    calm_seconds: float = 5.0
    """How long no pod was set up or started before others are made ahead after a start."""
    check_seconds: float = 60.0
    """How often what was made ahead is looked at."""
    measure_seconds: float = 10.0
    """How often volumes with a limit are measured (kubelet's local storage eviction)."""
    claim: Claim = lambda _pod, _folder: None

    @property
    def pods_dir(self) -> Path:
        """The folder that holds a folder for each pod."""
        return self.data_dir / "pods"

    @property
    def spares_dir(self) -> Path:
        """The folder that holds a folder for each pod that is made ahead."""
        return self.data_dir / "spares"

    def volume_folders(self, pod_folder: Path) -> VolumeFolders:
        """Where the volumes of the pod with that folder are kept."""
        return VolumeFolders(pod_folder, self.data_dir / "claims", self.allow_host_path)
