"""The image that an application's is built on: what its registry says of it, and its layers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from hearth.oci.credentials import Login
from hearth.oci.errors import NoPlatform
from hearth.oci.manifests import (
    INDEXES,
    OCI_LAYER,
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
from hearth.oci.store import ContentStore

_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


@dataclass(frozen=True, slots=True)
class Base:
    """A base for one platform; its layers are named as OCI names them, whoever made them."""

    repository: Repository
    config: ImageConfig
    layers: tuple[Descriptor, ...]


async def read_base(
    http: httpx.AsyncClient,
    reference: Reference,
    on: Platform,
    store: ContentStore,
    logins: Sequence[Login] = (),
) -> Base:
    """Return what a registry says of a base; raise OciError, NoPlatform among them."""
    repository = Repository(http, reference, logins)
    answer = await repository.manifest(reference.version)
    if answer.media_type in INDEXES:
        index = parse_index(answer.content, str(reference))
        answer = await repository.manifest(choose(index, on, str(reference)).digest)
    manifest = parse_manifest(answer.content, str(reference))
    config = await _config(repository, manifest, store)
    if config.platform != on:
        raise NoPlatform(f"{reference} is for {config.platform}, not for {on}")
    return Base(repository, config, tuple(_as_oci(layer) for layer in manifest.layers))


async def _config(repository: Repository, manifest: Manifest, store: ContentStore) -> ImageConfig:
    await have(repository, manifest.config, store)
    content = await asyncio.to_thread(store.blob(manifest.config.digest).read_bytes)
    return parse_config(content, str(repository.reference))


async def have(repository: Repository, blob: Descriptor, store: ContentStore) -> None:
    """See to it that a piece of a base is here; what an earlier try got is not got again."""
    if not await asyncio.to_thread(store.blob(blob.digest).exists):
        scratch = store.partial(blob.digest)
        await repository.blob(blob, scratch)
        await asyncio.to_thread(store.put_file, scratch, blob.digest)


def _as_oci(layer: Descriptor) -> Descriptor:
    if not layer.media_type.startswith(_DOCKER_LAYER):
        return layer
    packed = "+gzip" if layer.media_type.endswith(".gzip") else ""
    return Descriptor(OCI_LAYER + packed, layer.digest, layer.size)
