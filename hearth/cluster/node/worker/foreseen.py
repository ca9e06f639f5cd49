"""A pod before it exists: what it will be, set up as any pod is, its containers made and not begun.

The API server says what it will be, by a creation that is only tried.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from hearth.cluster.node.pod import records
from hearth.cluster.node.pod.payload import effective_pod, referenced
from hearth.cluster.node.pod.spec import Container, PodSpec, parse_pod
from hearth.cluster.node.runtime.api import CreateError, Preparing, StartError, StartRequest
from hearth.cluster.node.runtime.containers.ahead import Owner, Spare, can_be_ahead, next_name
from hearth.cluster.node.worker.asleep import asleep
from hearth.cluster.node.worker.context import NodeContext
from hearth.cluster.node.worker.folder import PodFolder
from hearth.cluster.node.worker.setup import PodSetup
from hearth.cluster.podtemplates import from_template
from hearth.kube.meta import Object
from hearth.kube.resources import PODS


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Its ``spec`` has a uid that is nobody's."""

    pod: Object
    spec: PodSpec
    setup: PodSetup
    folder: PodFolder
    preparing: Preparing
    containers: list[Container]
    """Those that are made ahead."""

    def _request(self, container: Container) -> StartRequest:
        return self.setup.start_request(container, records.NEW, lambda *_: None)

    def refers_to(self, name: str) -> bool:
        """Whether a ConfigMap or Secret of that name goes into it."""
        return any(name in names for names in referenced(self.pod))

    async def renew(self) -> bool:
        """Brings the files of volumes up to date; False where that is not enough."""
        await self.setup.refresh()
        fits = [await self.preparing.fits(self._request(each)) for each in self.containers]
        return self.preparing.covers(self.spec) and all(fits)

    async def make(self) -> None:
        """All containers of which that can be done.

        Raises PrepareError, CreateError, StartError, OSError where it is none, and leaves nothing.
        """
        try:
            await self.setup.prepare()
            for container in list(self.containers):
                await self._make(container)
        except BaseException:
            await asyncio.shield(self.drop())
            raise

    async def _make(self, container: Container) -> None:
        self.folder.prepare_instance(container.name, 0)
        try:
            await self.preparing.make_ahead(self._request(container))
        except (CreateError, StartError):
            if len(self.containers) == 1:
                raise
            self.containers.remove(container)

    async def drop(self) -> None:
        """Removes all of it."""
        await self.setup.release()
        await asyncio.to_thread(self.folder.remove)


def next_spec(replica_set: Object) -> PodSpec:
    """What the next pod of a ReplicaSet asks for, as far as its template says."""
    pod = from_template(replica_set, replica_set["spec"]["template"], generate_name="")
    pod["metadata"] |= {"name": "", "uid": ""}
    return parse_pod(pod)


async def foresee(context: NodeContext, owner: Owner) -> Spare[Foreseen] | None:
    """The next pod of what sleeps, not made yet; None where it is awake or cannot be made ahead.

    Raises ApiError.
    """
    preparing = context.runtime.preparing
    replica_set = await asleep(context.client, owner)
    if replica_set is None or preparing is None:
        return None
    name, template = next_name(owner, secrets.token_bytes(5)), replica_set["spec"]["template"]
    pod = from_template(replica_set, template, generate_name=f"{owner.name}-")
    pod["metadata"]["name"] = name
    pod = effective_pod(await context.client.create(PODS, pod, dry_run=True))
    spec = parse_pod(pod)
    folder = PodFolder(context.spares_dir / spec.uid)
    setup = PodSetup(context, spec, folder, lambda: pod, is_ahead=True)
    containers = [each for each in spec.containers if can_be_ahead(pod, each)]
    it = Foreseen(pod, spec, setup, folder, preparing, containers)
    is_one = bool(containers) and preparing.covers(spec)
    return Spare(owner, name, len(containers), it) if is_one else None
