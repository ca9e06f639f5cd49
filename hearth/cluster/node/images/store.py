"""The image store: which command an image name stands for on this machine.

Used by the node (``resolve``) and by the command line (``hearth build``, ``hearth image``). One
JSON file, replaced as a whole under a lock. A tag names a digest and a digest names what to run,
so a revision that pinned a digest keeps running what it meant when the tag moves on.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hearth.oci.references import InvalidImageName, Reference, parse_reference

STAND_IN = "hearth samples, in place of an image"
"""The ``source`` of commands that answer as well-known images do, and are not those images."""


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What an image runs. A container's ``command`` replaces entrypoint and cmd, as usual."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = ""
    ports: tuple[int, ...] = ()
    source: str = ""  # the folder it was built from
    content: str = ""  # digest of that folder at the time
    digest: str = ""

    @property
    def is_stand_in(self) -> bool:
        """Whether the name is somebody else's: where the real image can be run, it is to be."""
        return self.source == STAND_IN

    def command_line(self, command: Sequence[str], args: Sequence[str]) -> tuple[str, ...]:
        """The program and its arguments, given a container's ``command`` and ``args``."""
        if command:
            return (*command, *args)
        return (*self.entrypoint, *(args or self.cmd))


@dataclass(frozen=True, slots=True)
class Tagged:
    """One line of ``hearth image list``."""

    name: str
    image: ImageSpec


def digest_of(image: ImageSpec) -> str:
    """The digest of what is run: the same for the same command, environment and content."""
    data = {k: v for k, v in asdict(image).items() if k != "digest"}
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


class ImageStore:
    """``images.json`` in the data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "images.json"
        self._lock_path = data_dir / "images.lock"
        self._read_stamp: tuple[int, int] | None = None
        self._content: dict[str, Any] = {}

    # -- reading ---------------------------------------------------------------------------

    def resolve(self, image: str) -> ImageSpec | None:
        """What the name stands for, or None; raises InvalidImageName on what is no name."""
        reference = parse_reference(image)
        content = self._read()
        if reference.digest:
            known = reference.digest in content["repositories"].get(reference.repository, ())
            return _image(content, reference.digest) if known else None
        digest = content["tags"].get(str(reference))
        return None if digest is None else _image(content, digest)

    def list(self) -> list[Tagged]:
        """All names, in order."""
        content = self._read()
        return [
            Tagged(name, _image(content, digest))
            for name, digest in sorted(content["tags"].items())
        ]

    def stamp(self) -> tuple[int, int]:
        """Changes whenever the store does; cheap to ask for."""
        try:
            stat = os.stat(self._path)
        except FileNotFoundError:
            return 0, 0
        return stat.st_mtime_ns, stat.st_ino

    def _read(self) -> dict[str, Any]:
        stamp = self.stamp()
        if stamp != self._read_stamp:
            self._content = self._load()
            self._read_stamp = stamp
        return self._content

    def _load(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self._path.read_text())
        except FileNotFoundError:
            content = {}
        for part in ("tags", "repositories", "images"):
            content.setdefault(part, {})
        return content

    # -- writing ---------------------------------------------------------------------------

    def add(self, name: str, image: ImageSpec) -> ImageSpec:
        """Lets ``name`` stand for that image; returns it with its digest."""
        reference = parse_reference(name)
        if reference.digest:
            raise InvalidImageName(f'"{name}": give a name and a tag; the digest is computed')
        digest = digest_of(image)
        with self._changing() as content:
            entry = {k: v for k, v in asdict(image).items() if k != "digest"}
            content["images"][digest] = entry
            content["tags"][str(reference)] = digest
            known = content["repositories"].setdefault(reference.repository, [])
            if digest not in known:
                known.append(digest)
            return _image(content, digest)

    def remove(self, name: str) -> bool:
        """Forgets a tag, and digests of its repository that no tag names; False if unknown."""
        reference = parse_reference(name)
        with self._changing() as content:
            if content["tags"].pop(str(reference), None) is None:
                return False
            tagged = set(content["tags"].values())
            _forget(content, lambda repo, digest: repo != reference.repository or digest in tagged)
            return True

    def prune(self, in_use: Collection[Reference], domain: str) -> Sequence[ImageSpec]:
        """Forgets digests that neither a tag nor anybody names; returns the images that are left.

        Tags of names in ``domain`` go as well where nobody names them.
        """
        digests = {each.digest for each in in_use}
        names = {str(each) for each in in_use}
        with self._changing() as content:
            content["tags"] = {
                name: digest
                for name, digest in content["tags"].items()
                if name in names or digest in digests or not name.startswith(f"{domain}/")
            }
            kept = digests.union(content["tags"].values())
            _forget(content, lambda _, digest: digest in kept)
            return [_image(content, digest) for digest in content["images"]]

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The content, under the lock; written back as a whole when the block ends well."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._lock_path, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self._load()
            yield content
            fresh = self._path.with_suffix(".json.new")
            fresh.touch(mode=0o600)  # an image's environment may hold secrets
            fresh.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
            fresh.replace(self._path)
            self._read_stamp = None


def _forget(content: dict[str, Any], keeps: Callable[[str, str], bool]) -> None:
    """Drops digests of repositories that are not kept, and images that no repository has then."""
    left = {
        repository: [digest for digest in digests if keeps(repository, digest)]
        for repository, digests in content["repositories"].items()
    }
    content["repositories"] = {name: digests for name, digests in left.items() if digests}
    used = {digest for digests in left.values() for digest in digests}
    content["images"] = {d: image for d, image in content["images"].items() if d in used}


def _image(content: Mapping[str, Any], digest: str) -> ImageSpec:
    entry = content["images"][digest]
    return ImageSpec(
        entrypoint=tuple(entry["entrypoint"]),
        cmd=tuple(entry["cmd"]),
        env=dict(entry["env"]),
        workdir=entry["workdir"],
        ports=tuple(entry["ports"]),
        source=entry["source"],
        content=entry["content"],
        digest=digest,
    )


def stand_in_message(name: str, image: ImageSpec) -> str:
    """What an event says of a pod that runs something else than the image it names."""
    return (
        f'image "{name}" itself is not run: here it stands for the sample '
        f"`{shlex.join((*image.entrypoint, *image.cmd))}`"
    )


def unknown_image_message(image: str) -> str:
    """What the user reads where a real node would report a failed pull."""
    return (
        f'image "{image}" is not known on this machine, where pods are processes: install podman, '
        f"or runc as root, and start Hearth again to run the image itself; or say what it is with "
        f"`hearth image add {image} -- COMMAND`, or build it from a folder with "
        f"`hearth build DIR -t {image}`"
    )
