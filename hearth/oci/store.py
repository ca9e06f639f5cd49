"""Images of this machine: what names stand for, and their layers, unpacked, by digest.

Shared by processes: each change is made under a lock, and files come to their places whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from hearth.oci.manifests import ImageConfig, digest_of, parse_config
from hearth.oci.references import Reference


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image that can be run: its layers, from below, are there unpacked."""

    name: str
    digest: str
    """Of what the name stood for at the registry: an index or a manifest."""
    config_digest: str
    config: ImageConfig
    size: int
    """Bytes that were pulled."""
    used_at: float

    @property
    def repository(self) -> str:
        """The name without tag and digest."""
        head, _, tail = self.name.partition("@")[0].rpartition(":")
        return head if head and "/" not in tail else self.name.partition("@")[0]


class FetchLock:
    """A lock that waits for nobody."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """Whether it is ours now."""
        file = self._path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_same_file(file.fileno(), self._path):
                raise BlockingIOError  # its last holder has just removed it
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Somebody else may have it."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


def _is_same_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


class ContentStore:
    """A folder of blobs, unpacked layers and ``index.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs"
        self.layers = folder / "layers"
        """The folder of all layers."""
        self._index = folder / "index.json"
        for each in (self._blobs, self.layers, folder / "locks"):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    # -- blobs -----------------------------------------------------------------------------

    def put(self, content: bytes) -> str:
        """Keeps some content; returns its digest."""
        digest = digest_of(content)
        scratch = self.scratch()
        scratch.write_bytes(content)
        self.put_file(scratch, digest)
        return digest

    def put_file(self, path: Path, digest: str) -> None:
        """Keeps a file, which is moved there; the caller has checked its digest."""
        path.replace(self.blob(digest))

    def scratch(self) -> Path:
        """A name for a file in the making."""
        return self._blobs / f"new-{uuid.uuid4().hex}"

    def blob(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        return self._blobs / digest.removeprefix("sha256:")

    def partial(self, digest: str) -> Path:
        """Where a blob grows; what was got of it before is there. Under the lock of its digest."""
        return self._blobs / f"part-{digest.removeprefix('sha256:')}"

    # -- layers ----------------------------------------------------------------------------

    def layer(self, diff_id: str) -> Path:
        """Where a layer lies unpacked, or would; short, since a mount names many."""
        return self.layers / diff_id.removeprefix("sha256:")[:24]

    def has_layer(self, diff_id: str) -> bool:
        """Whether a layer lies there, whole."""
        return self.layer(diff_id).is_dir()

    @contextlib.contextmanager
    def making_layer(self, diff_id: str) -> Iterator[Path]:
        """An empty folder to unpack into; it is the layer once the block has ended well."""
        fresh = self.layers / f"new-{uuid.uuid4().hex}"
        fresh.mkdir()
        fresh.chmod(0o755)  # whatever the umask: it may become the root that all users see
        try:
            yield fresh
            with contextlib.suppress(OSError):  # another process was faster
                fresh.rename(self.layer(diff_id))
        finally:
            if fresh.exists():
                shutil.rmtree(fresh)

    # -- images ----------------------------------------------------------------------------

    def find(self, reference: Reference) -> StoredImage | None:
        """The image of that name, where all of it is there. A digest is found under any tag."""
        known = self._read()
        entry = known.get(str(reference))
        if entry is None and reference.digest:
            wanted = (reference.repository, reference.digest)
            same = (e for e in known.values() if (e["repository"], e["digest"]) == wanted)
            entry = next(same, None)
        return None if entry is None else self._image(entry)

    def list(self) -> list[StoredImage]:
        """All images, by name."""
        found = map(self._image, (entry for _, entry in sorted(self._read().items())))
        return [image for image in found if image is not None]

    def add(self, image: StoredImage) -> None:
        """Lets a name stand for an image, whose config and layers are there."""
        with self._changing() as known:
            known[image.name] = _entry(image)

    def touch(self, image: StoredImage, now: float) -> StoredImage:
        """Notes that an image was used."""
        used = replace(image, used_at=now)
        with self._changing() as known:
            if image.name in known:
                known[image.name] = _entry(used)
        return used

    def remove(self, reference: Reference) -> bool:
        """Forgets a name; what only it used goes with the next ``collect``."""
        with self._changing() as known:
            return known.pop(str(reference), None) is not None

    def collect(self, *, most: int = 0, in_use: Collection[str] = ()) -> int:
        """Forgets images that were used least lately while all are more than ``most`` bytes.

        ``in_use`` holds names that stay. Then removes what no image names and nothing has mounted;
        returns how many images went. Not while a pull goes on: what it has brought has no name yet.
        """
        with self._changing() as known:
            total = sum(entry["size"] for entry in known.values())
            gone = 0
            for name, entry in sorted(known.items(), key=lambda each: each[1]["used_at"]):
                if total <= most or name in in_use:
                    continue
                total -= entry["size"]
                del known[name]
                gone += 1
            self._remove_unnamed(known)
        return gone

    def _remove_unnamed(self, known: Mapping[str, Any]) -> None:
        images = [image for image in map(self._image, known.values()) if image is not None]
        layers = {self.layer(diff_id) for image in images for diff_id in image.config.diff_ids}
        mounted = Path("/proc/self/mountinfo").read_text()
        for path in self.layers.iterdir():
            is_used = path in layers or path.name in mounted
            if not is_used and not path.name.startswith("new-"):
                aside = path.with_name(f"new-{uuid.uuid4().hex}")
                path.rename(aside)
                shutil.rmtree(aside)
        blobs = {self.blob(image.config_digest) for image in images}
        for path in self._blobs.iterdir():
            if path not in blobs and not path.name.startswith("new-"):
                self._remove_blob(path)

    def _remove_blob(self, path: Path) -> None:
        """Unless somebody is getting it just now."""
        lock = self.lock_of(path.name.removeprefix("part-"))
        if lock.acquire():
            path.unlink(missing_ok=True)
            lock.release()

    def lock_of(self, digest: str) -> FetchLock:
        """One process, and one task of it, at a time fetches the same content."""
        return FetchLock(self.folder / "locks" / digest.removeprefix("sha256:"))

    def _read(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self._index.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return known

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        with open(self.folder / "locks" / "index", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self._read()
            yield known
            fresh = self._index.with_suffix(".new")
            fresh.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
            os.replace(fresh, self._index)

    def _image(self, entry: Mapping[str, Any]) -> StoredImage | None:
        try:
            content = self.blob(entry["config"]).read_bytes()
        except OSError:
            return None
        config = parse_config(content, entry["name"])
        if not all(map(self.has_layer, config.diff_ids)):
            return None
        return StoredImage(
            name=entry["name"],
            digest=entry["digest"],
            config_digest=entry["config"],
            config=config,
            size=entry["size"],
            used_at=entry["used_at"],
        )


def _entry(image: StoredImage) -> dict[str, Any]:
    return {
        "name": image.name,
        "repository": image.repository,
        "digest": image.digest,
        "config": image.config_digest,
        "size": image.size,
        "used_at": image.used_at,
    }
