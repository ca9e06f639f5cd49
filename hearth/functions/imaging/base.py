"""The image that an application's is built on: what its registry says of it, and its layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from hearth.oci.credentials import Login
from hearth.oci.errors import NoPlatform
from hearth.oci.fetching import fetch_config, resolve
from hearth.oci.manifests import OCI_LAYER, Descriptor, ImageConfig, Platform
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
    _, manifest = await resolve(repository, on)
    try:
        config = await fetch_config(repository, manifest, store, on)
    except NoPlatform as error:
        raise NoPlatform(f"{reference}: {error}") from error
    return Base(repository, config, tuple(_as_oci(layer) for layer in manifest.layers))


def _as_oci(layer: Descriptor) -> Descriptor:
    if not layer.media_type.startswith(_DOCKER_LAYER):
        return layer
    packed = "+gzip" if layer.media_type.endswith(".gzip") else ""
    return Descriptor(OCI_LAYER + packed, layer.digest, layer.size)
