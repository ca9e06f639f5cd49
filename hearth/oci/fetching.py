"""What a registry says of an image, for one platform, and pieces of it in a store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from hearth.oci.errors import InvalidContent, NoPlatform, OciError
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
from hearth.oci.registry import Repository
from hearth.oci.store import ContentStore

_MOST_CONFIG = 8 << 20
_LOOK_SECONDS = 0.05


async def resolve(repository: Repository, platform: Platform) -> tuple[str, Manifest]:
    """Return the digest that a name stands for, and the manifest for a platform."""
    name = str(repository.reference)
    try:
        answer = await repository.manifest(repository.reference.version)
        digest = answer.digest
        if answer.media_type in INDEXES:
            index = parse_index(answer.content, name)
            answer = await repository.manifest(choose(index, platform, name).digest)
    except OciError as error:
        raise type(error)(f'failed to resolve reference "{name}": {error}') from error
    return digest, parse_manifest(answer.content, name)


async def fetch_config(
    repository: Repository, manifest: Manifest, store: ContentStore, platform: Platform
) -> ImageConfig:
    """Return how an image wants to be run; raise NoPlatform where it is for another one."""
    name, blob = str(repository.reference), manifest.config
    if blob.size > _MOST_CONFIG:
        raise InvalidContent(f'"{name}": a config of {blob.size} bytes')
    await fetch_blob(repository, blob, store)
    config = parse_config(await asyncio.to_thread(store.blob(blob.digest).read_bytes), name)
    if config.platform != platform:
        raise NoPlatform(f"the image is for {config.platform}, not for {platform}")
    return config


async def fetch_blob(repository: Repository, blob: Descriptor, store: ContentStore) -> None:
    """See to it that the store has a blob."""
    path = store.blob(blob.digest)
    if await asyncio.to_thread(path.exists):
        return
    async with locked(store, blob):
        if not await asyncio.to_thread(path.exists):
            scratch = store.partial(blob.digest)
            await repository.blob(blob, scratch)
            await asyncio.to_thread(store.put_file, scratch, blob.digest)


@contextlib.asynccontextmanager
async def locked(store: ContentStore, blob: Descriptor) -> AsyncIterator[None]:
    """What was got of a blob stays for another try; one at a time makes more of it."""
    lock = store.lock_of(blob.digest)
    while not lock.acquire():  # noqa: ASYNC110 (another process may hold it)
        await asyncio.sleep(_LOOK_SECONDS)
    try:
        yield
    finally:
        lock.release()
