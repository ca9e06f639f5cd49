"""Pulls an image into the store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from hearth.oci.credentials import Login
from hearth.oci.errors import InvalidContent, NoPlatform, OciError
from hearth.oci.layers import Bounds, unpack
from hearth.oci.manifests import (
    INDEXES,
    Descriptor,
    ImageConfig,
    Manifest,
    Platform,
    choose,
    parse_config,
    parse_index,
    parse_manifest,
)
from hearth.oci.references import Reference
from hearth.oci.registry import Repository
from hearth.oci.store import ContentStore, StoredImage

_AT_ONCE = 3
_MOST_CONFIG = 8 << 20
_LOOK_SECONDS = 0.05


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
        digest, manifest = await self._resolve(repository)
        config = await self._config(repository, manifest)
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

    async def _resolve(self, repository: Repository) -> tuple[str, Manifest]:
        """The digest that the name stands for, and the manifest for this platform."""
        name = str(repository.reference)
        try:
            answer = await repository.manifest(repository.reference.version)
            digest = answer.digest
            if answer.media_type in INDEXES:
                index = parse_index(answer.content, name)
                answer = await repository.manifest(choose(index, self.platform, name).digest)
        except OciError as error:
            raise type(error)(f'failed to resolve reference "{name}": {error}') from error
        return digest, parse_manifest(answer.content, name)

    async def _config(self, repository: Repository, manifest: Manifest) -> ImageConfig:
        name, blob = str(repository.reference), manifest.config
        if blob.size > _MOST_CONFIG:
            raise InvalidContent(f'"{name}": a config of {blob.size} bytes')
        path = self.store.blob(blob.digest)
        if not await asyncio.to_thread(path.exists):
            async with self._locked(blob):
                scratch = self.store.partial(blob.digest)
                await repository.blob(blob, scratch)
                await asyncio.to_thread(self.store.put_file, scratch, blob.digest)
        config = parse_config(await asyncio.to_thread(path.read_bytes), name)
        if config.platform != self.platform:
            raise NoPlatform(f"the image is for {config.platform}, not for {self.platform}")
        return config

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
        async with gate, self._locked(layer):
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

    @contextlib.asynccontextmanager
    async def _locked(self, blob: Descriptor) -> AsyncIterator[None]:
        """What was got of a blob stays for another try; one at a time makes more of it."""
        lock = self.store.lock_of(blob.digest)
        while not lock.acquire():  # noqa: ASYNC110 (another process may hold it)
            await asyncio.sleep(_LOOK_SECONDS)
        try:
            yield
        finally:
            lock.release()
