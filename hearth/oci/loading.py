"""Takes images from OCI layouts, folders or archives that other tools write, into the store."""

from __future__ import annotations

from hearth.oci.errors import InvalidContent
from hearth.oci.layers import Bounds, unpack
from hearth.oci.manifests import Descriptor, digest_of, parse_config, parse_manifest
from hearth.oci.packing import Layout
from hearth.oci.references import Reference
from hearth.oci.store import ContentStore, StoredImage


def load(
    layout: Layout,
    image: Descriptor,
    store: ContentStore,
    reference: Reference,
    *,
    now: float,
    bounds: Bounds | None = None,
) -> StoredImage:
    """The image of that manifest, under a name; raises OciError, OSError for missing files."""
    name = str(reference)
    manifest = parse_manifest(_read(layout, image.digest), name)
    content = _read(layout, manifest.config.digest)
    config = parse_config(content, name)
    if len(config.diff_ids) != len(manifest.layers):
        raise InvalidContent(f'"{name}": the config names other layers than the manifest')
    for diff_id, layer in zip(config.diff_ids, manifest.layers, strict=True):
        if not store.has_layer(diff_id):
            with store.making_layer(diff_id) as folder:
                unpack(layout.blob(layer.digest), folder, diff_id, bounds=bounds)
    store.put(content)
    size = sum(layer.size for layer in manifest.layers)
    made = StoredImage(name, image.digest, manifest.config.digest, config, size, now)
    store.add(made)
    return made


def _read(layout: Layout, digest: str) -> bytes:
    content = layout.blob(digest).read_bytes()
    if digest_of(content) != digest:
        raise InvalidContent(f"{digest} is something else")
    return content
