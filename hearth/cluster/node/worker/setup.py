"""What a pod needs before its containers start: ports, folder, ConfigMaps, Secrets, volumes."""

from __future__ import annotations

import logging

from hearth.cluster.node.pod.environment import Facts
from hearth.cluster.node.pod.payload import effective_pod, token_wishes
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.spec import Container, PodSpec
from hearth.cluster.node.runtime.processes.ports import NoPort
from hearth.cluster.node.runtime.processes.starter import Start
from hearth.cluster.node.volumes.sources import EMPTY, Snapshot, needs_api
from hearth.cluster.node.volumes.volumes import VolumeError, prepare_volumes
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.folder import PodFolder
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object

log = logging.getLogger(__name__)


class SetupError(Exception):
    """Something the pod needs is not there; ``reason`` is that of the event."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PodSetup:
    """``ports`` once taken; the rest after ``prepare``."""

    def __init__(self, context: NodeContext, spec: PodSpec, folder: PodFolder, pod: Object) -> None:
        self.ports: dict[int, int] = {}
        self._context = context
        self._spec = spec
        self._folder = folder
        self._pod = effective_pod(pod)
        self._snapshot: Snapshot = EMPTY
        self._has_ports = False

    def update(self, pod: Object) -> None:
        self._pod = effective_pod(pod)

    @property
    def has_tokens(self) -> bool:
        """Its volumes hold tokens, which must be renewed in time."""
        return bool(token_wishes(self._pod))

    @property
    def follows_sources(self) -> bool:
        """Its volumes may change while it runs."""
        return bool(self._pod["spec"].get("volumes"))

    def take_ports(self) -> None:
        """Free ports for all declared ones, those of an earlier run if possible; only once."""
        if self._has_ports:
            return
        try:
            self.ports = self._context.ports.allocate(self._spec, wanted=self.ports)
        except NoPort as error:
            raise SetupError("FailedCreatePodSandBox", str(error)) from error
        self._has_ports = True

    def keep_ports(self) -> None:
        """The processes of an earlier run still listen on them."""
        self._context.ports.keep(self.ports)
        self._has_ports = True

    async def prepare(self) -> None:
        """Raises SetupError where something is missing; then it may be called again."""
        self.take_ports()
        try:
            self._folder.make()
            await self.look_up()
            self._write_volumes()
        except VolumeError as error:
            raise SetupError("FailedMount", f"MountVolume.SetUp failed {error}") from error
        except (ApiError, OSError) as error:
            raise SetupError("FailedMount", f"the pod cannot be set up: {error}") from error

    async def look_up(self) -> None:
        """Fetches what the pod refers to, as it is now."""
        if needs_api(self._pod):
            self._snapshot = await self._context.sources.snapshot(self._pod)

    async def refresh(self) -> None:
        """Brings the files of volumes up to date; a source that is gone leaves them as they are."""
        try:
            await self.look_up()
            self._write_volumes()
        except (ApiError, VolumeError, OSError) as error:
            log.debug(
                "volumes not refreshed", extra={"pod": self._spec.full_name, "error": str(error)}
            )

    def order(self, container: Container, record: Record) -> Start:
        """Everything that goes into the next start of a container."""
        restarts = record.restarts + (1 if record.ended is not None else 0)
        return Start(
            context=self._context,
            pod=self._pod,
            container=container,
            folder=self._folder,
            ports=self.ports,
            sources=self._snapshot,
            restarts=restarts,
        )

    def release(self) -> None:
        self._context.ports.release(self.ports)
        self._context.sources.forget(self._spec.uid)

    def _write_volumes(self) -> None:
        prepare_volumes(
            self._pod,
            self._context.volume_folders(self._folder.path),
            self._snapshot,
            facts=Facts(self._pod, self._context.node_name, self._context.allocatable),
            token=self._snapshot.token,
        )
