"""Archives of images that other tools write: OCI layouts as one file, and Docker's older form.

``podman save --format oci-archive``, ``skopeo copy ... oci-archive:``, ``docker save`` since 25
write the first (OCI image specification 1.1, "Image Layout"), ``docker save`` before and
``podman save`` the second (Docker image specification 1.2, ``manifest.json``).
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.oci.errors import InvalidContent
from hearth.oci.manifests import (
    INDEXES,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Platform,
    choose,
    make_manifest,
    parse_index,
)
from hearth.oci.packing import Layout
from hearth.oci.references import InvalidImageName, Reference, parse_reference

_BLOB = re.compile(r"blobs/sha256/[0-9a-f]{64}")
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_CHUNK = 1 << 20
_MOST_JSON = 4 << 20
_MOST_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """An image of an archive; ``names`` are what it was saved as, if that is told."""

    manifest: Descriptor
    names: tuple[str, ...]


def read_archive(path: Path, layout: Layout, platform: Platform) -> list[ArchivedImage]:
    """Copies the content of an archive into a layout; returns the images for a platform.

    Raises InvalidContent, NoPlatform, and OSError where a file cannot be read or written.
    """
    try:
        with tarfile.open(path) as archive:
            members = _Members(archive, str(path))
            if "index.json" in members.known:
                return list(_of_layout(members, layout, platform))
            if "manifest.json" in members.known:
                return list(_of_docker(members, layout))
    except (tarfile.TarError, EOFError) as error:
        raise InvalidContent(f"{path} cannot be read: {error}") from error
    raise InvalidContent(f"{path} is no archive of images: it has no index.json or manifest.json")


def names_of(
    images: Sequence[ArchivedImage], given: Reference | None, path: str
) -> dict[Reference, Descriptor]:
    """What the images of an archive are to be called: what was said, or what they were saved as.

    Raises InvalidContent where that is nothing, or one name for several.
    """
    if given is not None:
        if len(images) != 1:
            raise InvalidContent(f"{path} holds {len(images)} images, which cannot have one name")
        return {given: images[0].manifest}
    try:
        named = {parse_reference(name): each.manifest for each in images for name in each.names}
    except InvalidImageName as error:
        raise InvalidContent(f"{path}: {error}") from error
    if not named:
        raise InvalidContent(f"{path} does not say what its image is called: give it a name")
    return named


class _Members:
    """The files of an archive by their names; nothing is written under a name that they have."""

    def __init__(self, archive: tarfile.TarFile, path: str) -> None:
        self.path = path
        self._archive = archive
        self.known: dict[str, tarfile.TarInfo] = {}
        for count, member in enumerate(archive):
            if count >= _MOST_ENTRIES:
                raise InvalidContent(f"{path} has more than {_MOST_ENTRIES} entries")
            if member.isreg() or member.issym():
                self.known[member.name.removeprefix("./")] = member

    def json(self, name: str) -> Any:
        """What a small file says."""
        content = b"".join(self._chunks(name, _MOST_JSON))
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InvalidContent(f"{self.path}: {name} is no JSON: {error}") from error

    def keep(self, name: str, layout: Layout) -> Descriptor:
        """Puts a file into the layout, under the digest of what it holds."""
        scratch, digest, size = layout.scratch(), hashlib.sha256(), 0
        with scratch.open("wb") as out:
            for chunk in self._chunks(name):
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
        known = "sha256:" + digest.hexdigest()
        layout.put_file(scratch, known)
        return Descriptor("", known, size)

    def _chunks(self, name: str, most: int = 1 << 40) -> Iterator[bytes]:
        try:
            file = self._archive.extractfile(self.known[name])
        except KeyError:
            file = None
        if file is None:
            raise InvalidContent(f"{self.path} names {name!r}, which is not in it")
        while chunk := file.read(_CHUNK):
            most -= len(chunk)
            if most < 0:
                raise InvalidContent(f"{self.path}: {name} is too large")
            yield chunk


def _of_layout(members: _Members, layout: Layout, platform: Platform) -> Iterator[ArchivedImage]:
    for name in members.known:
        if _BLOB.fullmatch(name):
            members.keep(name, layout)
    said = members.json("index.json")
    index = parse_index(json.dumps(said).encode(), members.path)
    for (_, image), entry in zip(index, said["manifests"], strict=True):
        if image.media_type in INDEXES:
            inner = parse_index(layout.read(image.digest), members.path)
            image = choose(inner, platform, members.path)
        yield ArchivedImage(image, _names(entry.get("annotations")))


def _names(annotations: object) -> tuple[str, ...]:
    """The first that is a whole name: some tools tell of the tag alone."""
    told = annotations if isinstance(annotations, Mapping) else {}
    found = [str(told[key]) for key in _NAMES if ":" in str(told.get(key))]
    return tuple(found[:1])


def _of_docker(members: _Members, layout: Layout) -> Iterator[ArchivedImage]:
    said = members.json("manifest.json")
    for entry in said if isinstance(said, list) else ():
        try:
            config, layers = str(entry["Config"]), [str(each) for each in entry["Layers"]]
            names = tuple(str(name) for name in entry.get("RepoTags") or ())
        except (AttributeError, KeyError, TypeError) as error:
            text = f"{members.path}: manifest.json tells of an image without {error}"
            raise InvalidContent(text) from error
        kept = [members.keep(name, layout) for name in layers]
        manifest = make_manifest(
            _as(members.keep(config, layout), OCI_CONFIG), [_as(each, OCI_LAYER) for each in kept]
        )
        yield ArchivedImage(Descriptor(OCI_MANIFEST, layout.put(manifest), len(manifest)), names)


def _as(content: Descriptor, media_type: str) -> Descriptor:
    return Descriptor(media_type, content.digest, content.size)
