"""What a runtime of containers does whoever makes them: pods' networks, starts, what waits."""

from __future__ import annotations

import asyncio
import logging
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import (
    Bridge,
    CreateError,
    Instance,
    PrepareError,
    Preparing,
    StartError,
    StartRequest,
    Usage,
)
from hearth.cluster.node.runtime.containers.plan import ContainerPlan, plan_container
from hearth.cluster.node.runtime.podnets.networks import NetworkError, Networks
from hearth.cluster.node.runtime.shared.aside import Aside
from hearth.cluster.node.runtime.shared.kept import Kept
from hearth.kube import meta
from hearth.oci.manifests import ImageConfig
from hearth.oci.references import InvalidImageName, Reference, parse_reference

log = logging.getLogger(__name__)


class Configured(Protocol):
    """An image that is there."""

    @property
    def config(self) -> ImageConfig:
        """What it says of its program."""


class Tracked(Instance, Protocol):
    """A container that runs."""

    pod_uid: str

    def usage(self) -> Usage | None:
        """What its control group uses; from any thread. None once it has ended."""


Image = TypeVar("Image", bound=Configured)
Ready = TypeVar("Ready")
ImageFound = TypeVar("ImageFound", bound=Configured, covariant=True)
ImageUsed = TypeVar("ImageUsed", bound=Configured, contravariant=True)
Running = TypeVar("Running", bound=Tracked)


class Images(Protocol[ImageFound]):
    """Images of a runtime."""

    async def ensure(self, request: StartRequest) -> ImageFound:
        """A container's image by its pull policy; raises CreateError with kubelet's reasons."""

    async def find(self, reference: Reference) -> ImageFound | None:
        """The image of that name, where it is there; raises CreateError."""


class Maker(Protocol[ImageUsed, Ready]):
    """Makes containers."""

    def key(self, plan: ContainerPlan, image: ImageUsed) -> str:
        """What goes into a container but for what is its pod's own."""

    async def create(
        self,
        request: StartRequest,
        image: ImageUsed,
        plan: ContainerPlan,
        network: PodNetwork,
        *,
        ahead: bool = False,
    ) -> Ready:
        """All but the last step; raises CreateError and StartError, and then nothing is left.

        One that is made ``ahead`` of its pod may wait for as long as it likes.
        """

    async def begin(self, ready: Ready) -> Ready:
        """The last step; raises StartError, and then nothing is left."""

    async def drop(self, ready: Ready) -> None:
        """Removes one that has not begun."""


class ContainerRuntime(ABC, Generic[Image, Ready, Running]):
    """The common part of ``Runtime``."""

    def __init__(
        self,
        images: Images[Image],
        maker: Maker[Image, Ready],
        networks: Networks,
        *,
        aside: Aside,
    ) -> None:
        self._images = images
        self._maker = maker
        self._networks = networks
        self._aside = aside
        self._by_uid: dict[str, PodNetwork] = {}
        self._running: dict[str, Running] = {}  # by the container's id
        self._kept: Kept[Ready] = Kept(maker.drop)

    # -- pods ------------------------------------------------------------------------------

    async def prepare(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """A network of its own."""
        network = self._by_uid.get(pod.uid)
        if network is None:
            try:
                network = await self._networks.make(pod, previous)
            except NetworkError as error:
                raise PrepareError("FailedCreatePodSandBox", str(error)) from error
        self._by_uid[pod.uid] = network
        return network

    async def bridge(self) -> Bridge | None:
        """What the pods hang on."""
        return await self._networks.bridge()

    async def dial(self, uid: str, port: int) -> socket.socket:
        """A connection from inside the pod."""
        network = self._by_uid.get(uid)
        if network is None:
            raise ConnectionRefusedError("the pod has no address")
        return await self._networks.dial(network, port)

    async def remove(self, uid: str) -> None:
        """Ends what is left of a pod and frees its network; to the end, once it has begun."""
        await asyncio.shield(self._aside.spawn(self._remove_pod(uid)))

    async def _remove_pod(self, uid: str) -> None:
        left = [each for each in list(self._running.values()) if each.pod_uid == uid]
        for instance in left:
            instance.kill()
        await asyncio.gather(*map(self._remove_killed, left))
        await self._kept.drop(uid)
        await self._let_go(uid)
        network = self._by_uid.pop(uid, None)
        if network is not None:
            await self._networks.release(network)

    @abstractmethod
    async def _remove_killed(self, instance: Running) -> None:
        """Waits for the end of a container, and removes it."""

    async def _let_go(self, uid: str) -> None:
        """Removes what a pod's containers have in common beside a network."""

    async def _keep_network(self, request: StartRequest) -> bool:
        """Whether the network of an adopted pod is still there; it is the pod's again."""
        uid = meta.uid(request.facts.pod)
        if uid not in self._by_uid and not await self._networks.keep(request.network):
            return False
        self._by_uid.setdefault(uid, request.network)
        return True

    async def _settle(self) -> None:
        """Waits for what is done aside, and drops what was made ahead."""
        await self._aside.settle()
        await self._kept.drop()

    async def _release_networks(self) -> None:
        """At the end of the node, where nothing runs in them."""
        if not self._running:
            for uid in list(self._by_uid):
                await self._networks.release(self._by_uid.pop(uid))
            await self._networks.sweep()

    # -- containers ------------------------------------------------------------------------

    async def _begun(self, request: StartRequest) -> Ready:
        """Image, container, program; or the last step alone, where the rest was made ahead."""
        image = await self._images.ensure(request)
        plan = plan_container(request, image.config)
        uid = meta.uid(request.facts.pod)
        ready = await self._begun_ahead(request, plan, self._maker.key(plan, image))
        if ready is None:
            network = self._by_uid.get(uid, request.network)
            made = await self._maker.create(request, image, plan, network)
            ready = await self._maker.begin(made)
        request.report("Normal", "Created", f"Created container: {request.container.name}")
        return ready

    async def _begun_ahead(
        self, request: StartRequest, plan: ContainerPlan, key: str
    ) -> Ready | None:
        ready = await self._kept.take(*_whose(request), key=key, mounts=plan.mounts)
        if ready is None:
            return None
        try:
            return await self._maker.begin(ready)
        except StartError as error:  # it may have ended while it waited
            log.info("a container made ahead did not start", extra={"error": str(error)})
            return None

    # -- containers of pods that are to come -----------------------------------------------

    @property
    def preparing(self) -> Preparing:
        """Containers take long to make."""
        return self

    def covers(self, pod: PodSpec) -> bool:
        """Of any pod."""
        return bool(pod.containers)

    async def make_ahead(self, request: StartRequest) -> None:
        """A container made to the last step before its program."""
        image, plan = await self._at_hand(request)
        ready = await self._maker.create(request, image, plan, request.network, ahead=True)
        key = self._maker.key(plan, image)
        self._kept.put(*_whose(request), ready, key=key, mounts=plan.mounts)

    async def fits(self, request: StartRequest) -> bool:
        """Whether one that was made would be used."""
        try:
            image, plan = await self._at_hand(request)
        except CreateError:
            return False
        key = self._maker.key(plan, image)
        return self._kept.fits(*_whose(request), key=key, mounts=plan.mounts)

    async def _at_hand(self, request: StartRequest) -> tuple[Image, ContainerPlan]:
        try:
            image = await self._images.find(parse_reference(request.container.image))
        except InvalidImageName as error:
            raise CreateError("InvalidImageName", str(error)) from error
        if image is None:
            raise CreateError("ErrImagePull", "the image is not there")
        return image, plan_container(request, image.config)

    def hand_over(self, uid: str, to: str) -> None:
        """A pod that was to come is there."""
        self._by_uid[to] = self._by_uid.pop(uid)
        self._kept.hand_over(uid, to)

    def usage(self) -> Sequence[Usage]:
        """By control groups; from any thread."""
        found = (instance.usage() for instance in list(self._running.values()))
        return [usage for usage in found if usage is not None]


def _whose(request: StartRequest) -> tuple[str, str]:
    return meta.uid(request.facts.pod), request.container.name
