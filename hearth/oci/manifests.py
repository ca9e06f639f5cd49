"""Manifests, indexes and configs of images: what they say, and how ours are written. Pure.

OCI image specification 1.1 and Docker's schema 2, which say the same under other media types.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.oci.errors import InvalidContent, NoPlatform

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = (OCI_INDEX, DOCKER_LIST)
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MOST_LAYERS = 127
"""More than that an overlay of Linux does not take from other engines either."""
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def digest_of(content: bytes) -> str:
    """The digest that names some content."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def is_digest(text: object) -> bool:
    """Whether it is a digest that we can check."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A piece of content by what it is, its digest and its size in bytes."""

    media_type: str
    digest: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """As manifests hold it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class Platform:
    """What programs of an image run on."""

    os: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"


def platform_of(machine: str) -> Platform:
    """The platform of a Linux whose ``uname -m`` says this."""
    return Platform("linux", _MACHINES.get(machine, machine))


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image for one platform: its config, and its layers from below."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """How an image wants to be run; ``diff_ids`` are the digests of its unpacked layers."""

    platform: Platform
    diff_ids: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = ""
    user: str = ""
    stop_signal: str = ""
    ports: tuple[int, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


def parse_index(content: bytes, name: str) -> list[tuple[Platform, Descriptor]]:
    """The images of an index; ``name`` is for the error."""
    found = []
    for entry in _list(_object(content, name), "manifests", name):
        platform = entry.get("platform") or {}
        what = Platform(str(platform.get("os", "")), str(platform.get("architecture", "")))
        found.append((what, _descriptor(entry, name)))
    return found


def choose(index: Sequence[tuple[Platform, Descriptor]], wanted: Platform, name: str) -> Descriptor:
    """The first image of an index for a platform."""
    for platform, descriptor in index:
        if platform == wanted and descriptor.media_type in MANIFESTS:
            return descriptor
    offered = ", ".join(sorted({str(platform) for platform, _ in index if platform.os}))
    raise NoPlatform(
        f'no matching manifest for {wanted} in the manifest list entries of "{name}"'
        + (f" (there are {offered})" if offered else "")
    )


def parse_manifest(content: bytes, name: str) -> Manifest:
    """A manifest of one image."""
    data = _object(content, name)
    if data.get("schemaVersion") != 2 or not isinstance(data.get("config"), dict):
        raise InvalidContent(f'"{name}": the manifest is of a version that nobody makes any more')
    layers = tuple(_descriptor(entry, name) for entry in _list(data, "layers", name))
    if len(layers) > _MOST_LAYERS:
        raise InvalidContent(f'"{name}": more than {_MOST_LAYERS} layers')
    return Manifest(_descriptor(data["config"], name), layers)


def parse_config(content: bytes, name: str) -> ImageConfig:
    """The config of one image."""
    data = _object(content, name)
    config = data.get("config") or {}
    try:
        return ImageConfig(
            platform=Platform(str(data.get("os", "")), str(data.get("architecture", ""))),
            diff_ids=_diff_ids(data),
            entrypoint=_words(config.get("Entrypoint")),
            cmd=_words(config.get("Cmd")),
            env=_environment(config.get("Env")),
            workdir=str(config.get("WorkingDir") or ""),
            user=str(config.get("User") or ""),
            stop_signal=str(config.get("StopSignal") or ""),
            ports=_ports(config.get("ExposedPorts") or {}),
            labels={str(k): str(v) for k, v in (config.get("Labels") or {}).items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidContent(f'"{name}": the config cannot be read: {error}') from error


def make_config(config: ImageConfig) -> bytes:
    """The config of an image of ours."""
    inner = {
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.cmd),
        "Env": [f"{key}={value}" for key, value in config.env.items()],
        "WorkingDir": config.workdir,
        "User": config.user,
        "StopSignal": config.stop_signal,
        "ExposedPorts": {f"{port}/tcp": {} for port in config.ports},
        "Labels": dict(config.labels),
    }
    return _bytes(
        {
            "architecture": config.platform.architecture,
            "os": config.platform.os,
            "config": {key: value for key, value in inner.items() if value},
            "rootfs": {"type": "layers", "diff_ids": list(config.diff_ids)},
        }
    )


def make_manifest(config: Descriptor, layers: Sequence[Descriptor]) -> bytes:
    """The manifest of an image of ours."""
    return _bytes(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
    )


def make_index(images: Sequence[tuple[Platform | None, Descriptor]], tag: str = "") -> bytes:
    """An index of images; ``tag`` names the first in a layout on disk."""
    entries: list[dict[str, Any]] = []
    for platform, descriptor in images:
        entry = descriptor.to_json()
        if platform is not None:
            entry["platform"] = {"os": platform.os, "architecture": platform.architecture}
        if tag and not entries:
            entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
        entries.append(entry)
    return _bytes({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})


def _bytes(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":"), sort_keys=True).encode()


def _object(content: bytes, name: str) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidContent(f'"{name}": not JSON: {error}') from error
    if not isinstance(data, dict):
        raise InvalidContent(f'"{name}": not a JSON object')
    return data


def _list(data: Mapping[str, Any], key: str, name: str) -> list[dict[str, Any]]:
    entries = data.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidContent(f'"{name}": {key} is no list of objects')
    return entries


def _descriptor(entry: Mapping[str, Any], name: str) -> Descriptor:
    digest, size = entry.get("digest"), entry.get("size")
    if not is_digest(digest) or type(size) is not int or size < 0:
        raise InvalidContent(f'"{name}": no digest of sha256 or no size: {str(entry)[:200]}')
    return Descriptor(str(entry.get("mediaType", "")), str(digest), size)


def _diff_ids(data: Mapping[str, Any]) -> tuple[str, ...]:
    found = tuple((data.get("rootfs") or {}).get("diff_ids") or ())
    if not all(map(is_digest, found)):
        raise ValueError("diff_ids are no digests of sha256")
    return found


def _words(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError("a command is no list of words")
    return tuple(value)


def _environment(value: object) -> dict[str, str]:
    pairs = (word.partition("=") for word in _words(value))
    return {name: text for name, _, text in pairs if name}


def _ports(exposed: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(sorted(int(port.partition("/")[0]) for port in exposed))
