"""Layers and images made reproducibly: the same files give the same digests, whoever packs them."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from hearth.oci.manifests import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    digest_of,
    make_config,
    make_manifest,
)

_LEVEL = 6
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, link or folder of a layer; what ``content`` is says which.

    Bytes or a path of this machine are a file, a text is what a symbolic link says, None a folder.
    """

    name: str
    content: bytes | Path | str | None = None
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """A packed layer: what a manifest says of it, and the digest of what is inside."""

    descriptor: Descriptor
    diff_id: str


class Blobs(Protocol):
    """Takes content by its digest."""

    def put(self, content: bytes) -> str:
        """Keeps some content; returns its digest."""

    def put_file(self, path: Path, digest: str) -> None:
        """Keeps a file, which is moved there."""

    def scratch(self) -> Path:
        """A name for a file in the making, on the same disk."""


def entries_of(root: Path, prefix: str = "", *, skip: Iterable[str] = ()) -> Iterator[Entry]:
    """What a folder holds, as entries below ``prefix``; names in ``skip`` are left out.

    Only the bit that lets programs run counts of a mode. Sockets and devices are left out.
    """
    for path in sorted(root.iterdir()):
        if path.name in skip:
            continue
        name, mode = str(PurePosixPath(prefix) / path.name), path.lstat().st_mode
        if stat.S_ISLNK(mode):
            yield Entry(name, str(path.readlink()), 0o777)
        elif stat.S_ISDIR(mode):
            yield Entry(name)
            yield from entries_of(path, name, skip=skip)
        elif stat.S_ISREG(mode):
            yield Entry(name, path, 0o755 if mode & 0o100 else 0o644)


def write_layer(out: BinaryIO, entries: Iterable[Entry]) -> Layer:
    """Write a layer as a compressed archive: in order of names, owned by root, without times."""

    def fill(archive: tarfile.TarFile) -> None:
        for entry in sorted(_with_parents(entries), key=lambda each: each.name):
            _add(archive, entry)

    return pack(out, fill)


def pack(out: BinaryIO, fill: Callable[[tarfile.TarFile], None]) -> Layer:
    """Write a layer as a compressed archive of what ``fill`` adds to it."""
    packed = _Counted(out)
    with gzip.GzipFile(
        filename="", fileobj=packed, mode="wb", compresslevel=_LEVEL, mtime=0
    ) as zipped:
        plain = _Counted(zipped)
        with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            fill(archive)
    descriptor = Descriptor(OCI_LAYER + "+gzip", packed.digest, packed.size)
    return Layer(descriptor, plain.digest)


def make_image(blobs: Blobs, layers: Iterable[Iterable[Entry]], config: ImageConfig) -> Descriptor:
    """Put an image of these layers together; returns what names its manifest."""
    made = [put_layer(blobs, partial(write_layer, entries=entries)) for entries in layers]
    said = make_config(replace(config, diff_ids=tuple(layer.diff_id for layer in made)))
    head = Descriptor(OCI_CONFIG, blobs.put(said), len(said))
    manifest = make_manifest(head, [layer.descriptor for layer in made])
    return Descriptor(OCI_MANIFEST, blobs.put(manifest), len(manifest))


def put_layer(blobs: Blobs, write: Callable[[BinaryIO], Layer]) -> Layer:
    """Keeps a layer as it is written."""
    scratch = blobs.scratch()
    try:
        with scratch.open("wb") as out:
            layer = write(out)
        blobs.put_file(scratch, layer.descriptor.digest)
    finally:
        scratch.unlink(missing_ok=True)
    return layer


def _with_parents(entries: Iterable[Entry]) -> Iterable[Entry]:
    """Every folder above an entry is one itself; a name given twice is the later one."""
    named: dict[str, Entry] = {}
    for entry in entries:
        path = PurePosixPath(entry.name.lstrip("/"))
        for parent in path.parents:
            if str(parent) != ".":
                named.setdefault(str(parent), Entry(str(parent)))
        named[str(path)] = replace(entry, name=str(path))
    return named.values()


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.name)
    info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
    match entry.content:
        case None:
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        case str(target):
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
        case bytes(content):
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        case Path() as path:
            with path.open("rb") as file:
                info.size = path.stat().st_size
                archive.addfile(info, file)


class _Counted(io.RawIOBase):
    """Passes on what is written, and knows its size and digest."""

    def __init__(self, out: BinaryIO | gzip.GzipFile) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        self._hash.update(data)
        self.size += len(data)
        self._out.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


class Layout:
    """An OCI image layout: a folder that other tools read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True, exist_ok=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def put(self, content: bytes) -> str:
        """Keeps some content; returns its digest."""
        digest = digest_of(content)
        self.blob(digest).write_bytes(content)
        return digest

    def put_file(self, path: Path, digest: str) -> None:
        """Keeps a file, which is moved there."""
        path.replace(self.blob(digest))

    def scratch(self) -> Path:
        """A name for a file in the making."""
        return self.folder / "making"

    def read(self, digest: str) -> bytes:
        """Some content that was put there."""
        return self.blob(digest).read_bytes()

    def write_index(self, index: bytes) -> None:
        """Says which images there are."""
        (self.folder / "index.json").write_bytes(index)

    def write_archive(self, path: Path) -> None:
        """The layout as one file, such as ``podman load`` takes."""
        with tarfile.open(path, "w") as archive:
            for entry in sorted(_with_parents(entries_of(self.folder)), key=lambda e: e.name):
                _add(archive, entry)

    def blob(self, digest: str) -> Path:
        """Where some content is, or would be."""
        return self._blobs / digest.removeprefix("sha256:")
