"""What a pod needs before its containers start: an address, a folder, its sources, volumes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hearth.cluster.node.pod.environment import Facts
from hearth.cluster.node.pod.network import NODE_ADDRESS, PodNetwork
from hearth.cluster.node.pod.payload import effective_pod, token_requests
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.spec import Container, PodSpec
from hearth.cluster.node.runtime.api import PrepareError, Report, StartRequest
from hearth.cluster.node.volumes.folders import VolumeError, prepare_volumes
from hearth.cluster.node.volumes.sources import EMPTY, Snapshot, needs_api
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.folder import PodFolder
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object

log = logging.getLogger(__name__)


class PodSetup:
    """``network`` holds what is known of the pod's address; the rest is there after ``prepare``.

    Of a pod that ``is_ahead`` the API server knows nothing yet: its tokens are empty files.
    """

    def __init__(
        self,
        context: NodeContext,
        spec: PodSpec,
        folder: PodFolder,
        pod: Callable[[], Object],
        *,
        is_ahead: bool = False,
    ) -> None:
        self.network = PodNetwork()
        self._context = context
        self._spec = spec
        self._folder = folder
        self._object = pod
        self._is_ahead = is_ahead
        self._is_handed_over = False
        self._snapshot: Snapshot = EMPTY
        # Of a pod these may not change.
        self.follows_sources = bool(self._pod["spec"].get("volumes"))
        """Whether its volumes may change while it runs."""
        self.has_tokens = bool(token_requests(self._pod))
        """Whether its volumes hold tokens, which must be renewed in time."""

    @property
    def _pod(self) -> Object:
        return effective_pod(self._object())

    async def prepare(self) -> None:
        """Makes everything; raises PrepareError where something is missing. May be called again.

        The network comes first: the pod's binding and its first status carry the ports.
        """
        if not self._is_ahead:
            self.network = self._context.claim(self._pod, self._folder) or self.network
        self.network = await self._context.runtime.prepare(self._spec, self.network)
        await self._context.reach.find()
        try:
            self._folder.make()
            await self.look_up()
            self._write_volumes()
        except VolumeError as error:
            raise PrepareError("FailedMount", f"MountVolume.SetUp failed {error}") from error
        except Exception as error:
            raise PrepareError("FailedMount", f"the pod cannot be set up: {error}") from error

    async def look_up(self) -> None:
        """Fetches what the pod refers to, as it is now."""
        pod, sources = self._pod, self._context.sources
        if needs_api(pod):
            self._snapshot = await sources.snapshot(pod, with_tokens=not self._is_ahead)

    async def refresh(self) -> None:
        """Brings the files of volumes up to date; a source that is gone leaves them as they are."""
        try:
            await self.look_up()
            if not self._is_handed_over:
                self._write_volumes()
        except (ApiError, VolumeError, OSError) as error:
            log.debug(
                "volumes not refreshed", extra={"pod": self._spec.full_name, "error": str(error)}
            )

    def start_request(self, container: Container, record: Record, report: Report) -> StartRequest:
        """Everything that goes into the next start of a container, or that went into its last."""
        restarts = record.restarts + (1 if record.ended is not None else 0)
        return StartRequest(
            container=container,
            restarts=restarts,
            network=self.network,
            facts=self._facts(),
            sources=self._snapshot,
            volumes=self._context.volume_folders(self._folder.path),
            files=self._folder.files(container.name, restarts),
            report=report,
            dns=self._context.reach.dns(self._pod, self.network.ip, self._folder.path),
        )

    def hand_over(self) -> None:
        """What was made is the pod's that has come: nothing is written here any more."""
        self._is_handed_over = True

    async def release(self) -> None:
        """Ends what is left of the pod and frees what it held."""
        await self._context.runtime.remove(self._spec.uid)
        self._context.sources.forget(self._spec.uid)

    def _facts(self) -> Facts:
        context = self._context
        ip = self.network.ip
        host = NODE_ADDRESS if ip == NODE_ADDRESS else context.reach.host
        return Facts(self._pod, context.node_name, context.allocatable, pod_ip=ip, host_ip=host)

    def _write_volumes(self) -> None:
        prepare_volumes(
            self._pod,
            self._context.volume_folders(self._folder.path),
            self._snapshot,
            facts=self._facts(),
            token=self._snapshot.token,
        )
