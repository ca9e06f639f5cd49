"""Pulls an image into the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from hearth.oci.credentials import Login
from hearth.oci.errors import InvalidContent, OciError
from hearth.oci.fetching import fetch_config, locked, resolve
from hearth.oci.layers import Bounds, unpack
from hearth.oci.manifests import Descriptor, Platform
from hearth.oci.references import Reference
from hearth.oci.registry import Repository
from hearth.oci.store import ContentStore, StoredImage

_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Puller:
    """What all pulls of a machine share. ``bounds`` are of one layer."""

    store: ContentStore
    http: httpx.AsyncClient
    platform: Platform
    bounds: Bounds = field(default_factory=Bounds)

    async def pull(
        self,
        reference: Reference,
        *,
        logins: Sequence[Login] = (),
        now: float,
        told: Callable[[int], None] = lambda _: None,
    ) -> StoredImage:
        """The image of a name as the registry has it now; raises OciError.

        ``told`` hears of bytes that came. What was got before an interruption is not got again.
        """
        try:
            return await self._pull(Repository(self.http, reference, logins), now, told)
        except OciError as error:
            text = f'failed to pull and unpack image "{reference}": {error}'
            raise type(error)(text) from error

    async def digest(self, reference: Reference, logins: Sequence[Login] = ()) -> str:
        """What a name stands for at the registry now."""
        return (await Repository(self.http, reference, logins).manifest(reference.version)).digest

    async def _pull(
        self, repository: Repository, now: float, told: Callable[[int], None]
    ) -> StoredImage:
        reference = repository.reference
        digest, manifest = await resolve(repository, self.platform)
        config = await fetch_config(repository, manifest, self.store, self.platform)
        if len(config.diff_ids) != len(manifest.layers):
            raise InvalidContent("the config names other layers than the manifest")
        await self._layers(
            repository, dict(zip(config.diff_ids, manifest.layers, strict=True)), told
        )
        image = StoredImage(
            name=str(reference),
            digest=digest,
            config_digest=manifest.config.digest,
            config=config,
            size=sum(layer.size for layer in manifest.layers),
            used_at=now,
        )
        await asyncio.to_thread(self.store.add, image)
        return image

    async def _layers(
        self,
        repository: Repository,
        layers: Mapping[str, Descriptor],
        told: Callable[[int], None],
    ) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for diff_id, layer in layers.items():
                    group.create_task(self._layer(repository, diff_id, layer, gate=gate, told=told))
        except* (OciError, OSError) as several:
            raise several.exceptions[0] from None

    async def _layer(
        self,
        repository: Repository,
        diff_id: str,
        layer: Descriptor,
        *,
        gate: asyncio.Semaphore,
        told: Callable[[int], None],
    ) -> None:
        async with gate, locked(self.store, layer):
            if await asyncio.to_thread(self.store.has_layer, diff_id):
                told(layer.size)
                return
            scratch = self.store.partial(layer.digest)
            await repository.blob(layer, scratch, told=told)
            await asyncio.to_thread(self._unpack, scratch, diff_id)

    def _unpack(self, packed: Path, diff_id: str) -> None:
        with self.store.making_layer(diff_id) as folder:
            unpack(packed, folder, diff_id, bounds=self.bounds)
        packed.unlink()
