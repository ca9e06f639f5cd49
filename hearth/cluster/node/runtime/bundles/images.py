"""Images of containers without an engine: from the store, or pulled into it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.node.runtime.api import CreateError, StartRequest
from hearth.cluster.node.runtime.containers import pulls
from hearth.kube.clock import Clock
from hearth.oci.credentials import Login, logins_for, parse_pull_secret
from hearth.oci.errors import OciError
from hearth.oci.helpers import machine_logins
from hearth.oci.pulling import Puller
from hearth.oci.references import InvalidImageName, Reference, parse_reference
from hearth.oci.store import StoredImage

_TOUCH_SECONDS = 60.0
"""A use is noted so often: it is a write in the way of a wake."""
_FULL, _ENOUGH = 0.85, 0.80
"""Of a disk: where kubelet begins to remove images, and where it ends."""


@dataclass(slots=True)
class Images:
    """``docker_config`` is where docker keeps its logins."""

    puller: Puller
    clock: Clock
    docker_config: Path
    missed: set[Reference] = field(default_factory=set)
    """What could not be pulled."""
    _pulls: int = 0

    async def ensure(self, request: StartRequest) -> StoredImage:
        """A container's image by its pull policy; raises CreateError with kubelet's reasons."""
        name = request.container.image
        try:
            reference = parse_reference(name)
        except InvalidImageName as error:
            text = f'Failed to apply default image tag "{name}": {error}'
            raise CreateError("InvalidImageName", text) from error
        image = await self.find(reference)
        if pulls.needs_pull(name, request.container.pull_policy, is_present=image is not None):
            return await self._pull(request, reference)
        assert image is not None
        request.report("Normal", "Pulled", pulls.present(name))
        if self.clock() - image.used_at < _TOUCH_SECONDS:
            return image
        with contextlib.suppress(OSError):  # a full disk keeps nobody from starting
            return await asyncio.to_thread(self.puller.store.touch, image, self.clock())
        return image

    async def find(self, reference: Reference) -> StoredImage | None:
        """What is in the store under that name."""
        return await asyncio.to_thread(self.puller.store.find, reference)

    async def make_room(self, in_use: Collection[str]) -> int:
        """On a disk that is nearly full: forgets what was used least lately, as kubelet does.

        Names ``in_use`` stay. Returns how many images went.
        """
        store = self.puller.store
        disk = await asyncio.to_thread(shutil.disk_usage, store.folder)
        if disk.used <= _FULL * disk.total or self._pulls:
            return 0
        size = sum(image.size for image in await asyncio.to_thread(store.list))
        most = max(0, size - int(disk.used - _ENOUGH * disk.total))
        return await asyncio.to_thread(store.collect, most=most, in_use=in_use)

    async def have_come(self) -> bool:
        """Whether what could not be pulled is there now: somebody has brought it."""
        found = [each for each in list(self.missed) if self.puller.store.find(each) is not None]
        self.missed.difference_update(found)
        return bool(found)

    async def _pull(self, request: StartRequest, reference: Reference) -> StoredImage:
        request.report("Normal", "Pulling", pulls.pulling(request.container.image))
        began = time.monotonic()
        self._pulls += 1
        try:
            logins = await self._logins(request, reference)
            image = await self.puller.pull(reference, logins=logins, now=self.clock())
        except OciError as error:
            self.missed.add(reference)
            raise CreateError("ErrImagePull", str(error)) from error
        except OSError as error:
            text = f'failed to pull and unpack image "{reference}": {error.strerror or error}'
            raise CreateError("ErrImagePull", text) from error
        finally:
            self._pulls -= 1
        self.missed.discard(reference)
        seconds = time.monotonic() - began
        text = pulls.pulled(
            request.container.image, seconds=seconds, waited=seconds, size=image.size
        )
        request.report("Normal", "Pulled", text)
        return image

    async def _logins(self, request: StartRequest, reference: Reference) -> Sequence[Login]:
        """Those of the pod's pull secrets, then the machine's own."""
        own: list[tuple[str, Login]] = []
        for each in request.facts.pod["spec"].get("imagePullSecrets") or ():
            own += parse_pull_secret(request.sources.secret(each.get("name") or "") or {})
        return [
            *logins_for(reference, own),
            *await machine_logins(self.docker_config, reference),
        ]
