"""Images of Hearth's own store, which containers without an engine are made of."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from hearth.cli.containerimages import ContainerImage, Told
from hearth.cli.errors import UserError
from hearth.oci.archives import names_of, read_archive
from hearth.oci.errors import OciError
from hearth.oci.helpers import docker_config, machine_logins
from hearth.oci.loading import load
from hearth.oci.manifests import Descriptor, platform_of
from hearth.oci.packing import Layout
from hearth.oci.pulling import Puller
from hearth.oci.pushing import push
from hearth.oci.references import Reference
from hearth.oci.registry import client
from hearth.oci.repacking import repack
from hearth.oci.store import ContentStore


class StorePlace:
    """Hearth's own store, for runc; of root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @functools.cached_property
    def _store(self) -> ContentStore:
        return ContentStore(self._folder)

    async def images(self) -> list[ContainerImage]:
        """All that are there."""
        if not self._folder.is_dir():
            return []
        return [
            ContainerImage(image.name, image.digest, image.size, image.used_at)
            for image in self._store.list()
        ]

    async def pull(self, reference: Reference) -> None:
        """Gets an image as its registry has it now."""
        logins = await machine_logins(docker_config(os.environ, Path.home()), reference)
        try:
            async with client() as http:
                puller = Puller(self._store, http, platform_of(os.uname().machine))
                await puller.pull(reference, logins=logins, now=time.time())
        except (OciError, OSError) as error:
            raise UserError(str(error)) from error

    async def push(self, reference: Reference, to: Reference, told: Told) -> str:
        """Packs an image anew and puts it into a registry; returns its digest there."""
        image = self._store.find(reference) if self._folder.is_dir() else None
        if image is None:
            raise UserError(f"there is no image {reference} here; `hearth image list` shows them")
        logins = await machine_logins(docker_config(os.environ, Path.home()), to)
        folder = Path(tempfile.mkdtemp(prefix="push-", dir=self._store.folder))

        def heard(piece: Descriptor, sent: int) -> None:
            told(piece.digest[7:19], f"{sent * 100 // max(piece.size, 1)} %")

        try:
            layout = Layout(folder)
            made = await asyncio.to_thread(repack, self._store, image, layout)
            async with client() as http:
                return await push(http, to, made, layout, logins=logins, told=heard)
        except (OciError, OSError) as error:
            raise UserError(f'failed to push image "{to}": {error}') from error
        finally:
            await asyncio.to_thread(shutil.rmtree, folder)

    async def load(self, archive: Path, name: Reference | None) -> list[str]:
        """Takes the images of an archive; returns their names."""
        folder = Path(tempfile.mkdtemp(prefix="import-", dir=self._store.folder))
        try:
            layout = Layout(folder)
            images = read_archive(archive, layout, platform_of(os.uname().machine))
            named = names_of(images, name, str(archive))
            for reference, image in named.items():
                load(layout, image, self._store, reference, now=time.time())
        except (OciError, OSError) as error:
            raise UserError(str(error)) from error
        finally:
            shutil.rmtree(folder)
        return list(map(str, named))

    async def remove(self, reference: Reference) -> bool:
        """Forgets a name; returns whether it was known."""
        return self._folder.is_dir() and self._store.remove(reference)

    async def prune(self, in_use: Collection[Reference]) -> int:
        """Forgets all but the names in use, and removes what then has none."""
        whole = set(map(str, in_use))
        digests = {(each.repository, each.digest) for each in in_use if each.digest}
        kept = [
            image.name
            for image in self._store.list()
            if image.name in whole or (image.repository, image.digest) in digests
        ]
        return self._store.collect(in_use=kept)
