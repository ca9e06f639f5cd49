"""Makes an image of the store one that can be pushed: its layers, which lie unpacked, packed anew.

What is inside is the same, and so is the digest each time; it is not the one that the image was
pulled under, since nobody knows how its layers were packed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import tarfile
from functools import partial
from pathlib import Path

from hearth.oci.layers import OPAQUE, OPAQUE_XATTR, WHITEOUT, XATTRS
from hearth.oci.manifests import OCI_CONFIG, OCI_MANIFEST, Descriptor, make_manifest
from hearth.oci.packing import Blobs, pack, put_layer
from hearth.oci.store import ContentStore, StoredImage

_SCHILY = "SCHILY.xattr."


def repack(store: ContentStore, image: StoredImage, blobs: Blobs) -> Descriptor:
    """Puts the pieces of an image into blobs; returns what names its manifest."""
    folders = [store.layer(diff_id) for diff_id in image.config.diff_ids]
    layers = [put_layer(blobs, partial(pack, fill=partial(_fill, folder))) for folder in folders]
    said = json.loads(store.blob(image.config_digest).read_bytes())
    said["rootfs"]["diff_ids"] = [layer.diff_id for layer in layers]
    config = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
    head = Descriptor(OCI_CONFIG, blobs.put(config), len(config))
    manifest = make_manifest(head, [layer.descriptor for layer in layers])
    return Descriptor(OCI_MANIFEST, blobs.put(manifest), len(manifest))


def _fill(folder: Path, archive: tarfile.TarFile) -> None:
    _add(folder, ".", archive)
    for parent, folders, files in os.walk(folder):
        folders.sort()
        within = Path(parent).relative_to(folder)
        if _xattr(Path(parent), OPAQUE_XATTR) == b"y":
            archive.addfile(tarfile.TarInfo(str(within / OPAQUE)))
        for name in sorted([*folders, *files]):
            _add(Path(parent, name), str(within / name), archive)


def _add(path: Path, name: str, archive: tarfile.TarFile) -> None:
    status = path.lstat()
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        archive.addfile(tarfile.TarInfo(str(Path(name).with_name(WHITEOUT + path.name))))
        return
    if stat.S_ISSOCK(status.st_mode):
        return
    info = archive.gettarinfo(path, name)
    info.uname = info.gname = ""
    info.mtime = int(info.mtime)
    if not info.issym():
        info.pax_headers = _kept_xattrs(path)
    with path.open("rb") if info.isreg() else io.BytesIO() as content:
        archive.addfile(info, content)


def _kept_xattrs(path: Path) -> dict[str, str]:
    names = (name for name in os.listxattr(path) if (_SCHILY + name).startswith(XATTRS))
    return {_SCHILY + n: os.getxattr(path, n).decode(errors="surrogateescape") for n in names}


def _xattr(path: Path, name: str) -> bytes:
    with contextlib.suppress(OSError):
        return os.getxattr(path, name)
    return b""
