"""What all pod workers of a node share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.node.images.store import ImageStore
from hearth.cluster.node.runtime.processes.ports import PortAllocator
from hearth.cluster.node.volumes.sources import ClusterSources
from hearth.cluster.node.volumes.volumes import Mounter, VolumeFolders
from hearth.cluster.node.worker.events import EventRecorder
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock

NODE_MARK = "HEARTH_NODE"
POD_MARK = "HEARTH_POD_UID"
CONTAINER_MARK = "HEARTH_CONTAINER_ID"
CONTAINER_SCHEME = "hearth://"


@dataclass(slots=True)
class NodeContext:
    """Shared services and settings; made once by ``main``."""

    client: KubeClient
    clock: Clock
    data_dir: Path
    node_name: str
    images: ImageStore
    events: EventRecorder
    ports: PortAllocator
    sources: ClusterSources
    mounter: Mounter
    base_env: Mapping[str, str]
    http_proxy: str = ""
    allow_host_path: bool = False
    termination_delay: float = 0.2
    allocatable: Mapping[str, str] = field(default_factory=dict)

    @property
    def pods_dir(self) -> Path:
        return self.data_dir / "pods"

    @property
    def node_id(self) -> str:
        """Marks the processes of this node, and of no other data folder's."""
        return hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:16]

    def volume_folders(self, pod_folder: Path) -> VolumeFolders:
        return VolumeFolders(pod_folder, self.data_dir / "claims", self.allow_host_path)


def make_base_env(
    *, path: str, home: str, api_host: str, api_port: int, http_proxy: str
) -> dict[str, str]:
    """The environment every container starts from: nothing of Hearth's own."""
    env = {
        "PATH": path,
        "HOME": home,
        "LANG": "C.UTF-8",
        "KUBERNETES_SERVICE_HOST": api_host,
        "KUBERNETES_SERVICE_PORT": str(api_port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(api_port),
    }
    if http_proxy:
        direct = f"localhost,127.0.0.1,::1,.localhost,{api_host}"
        env |= {"http_proxy": http_proxy, "HTTP_PROXY": http_proxy}
        env |= {"no_proxy": direct, "NO_PROXY": direct}
    return env
