"""Pushes images to registries, by the OCI distribution API 1.1."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin

import httpx

from hearth.oci.credentials import Login
from hearth.oci.errors import CutOff, Unreachable
from hearth.oci.manifests import Descriptor, parse_manifest
from hearth.oci.references import Reference
from hearth.oci.registry import Part, Repository

_TRIES = 4
_BYTES = {"Content-Type": "application/octet-stream"}
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")

Told = Callable[[Descriptor, int], None]
"""Hears how many bytes of a piece are there, its size where it was there before."""


class Blobs(Protocol):
    """Where the pieces of an image lie."""

    def blob(self, digest: str) -> Path:
        """The file of some content."""


async def push(
    http: httpx.AsyncClient,
    reference: Reference,
    image: Descriptor,
    blobs: Blobs,
    *,
    logins: Sequence[Login] = (),
    told: Told = lambda piece, size: None,
) -> str:
    """Puts an image that lies in blobs to a registry under a name; returns its digest."""
    content = await asyncio.to_thread(blobs.blob(image.digest).read_bytes)
    manifest = parse_manifest(content, str(reference))
    repository = Repository(http, reference, logins, actions="pull,push")
    for piece in dict.fromkeys((*manifest.layers, manifest.config)):
        if not await repository.has_blob(piece.digest):
            await _push_blob(repository, blobs.blob(piece.digest), piece, told)
        told(piece, piece.size)
    await repository.push_manifest(content, image.media_type, reference.tag or image.digest)
    return image.digest


async def _push_blob(repository: Repository, path: Path, blob: Descriptor, told: Told) -> None:
    """An upload that was cut goes on from where the registry has it, else begins anew."""
    where, start = "", 0
    for attempt in range(_TRIES):
        try:
            if where:
                where, start = await _resumed(repository, where)
            if not where:
                where, start = await _begun(repository), 0
            await _send(repository, where, path, blob, start=start, told=told)
            return
        except (CutOff, Unreachable):
            if attempt + 1 == _TRIES:
                raise
            await asyncio.sleep(repository.retry_seconds * 2**attempt)


async def _begun(repository: Repository) -> str:
    async with repository.ask("POST", "blobs/uploads/") as response:
        await repository.check(response)
        return urljoin(str(response.url), response.headers["Location"])


async def _resumed(repository: Repository, where: str) -> tuple[str, int]:
    """Where an upload goes on, and from which byte; nowhere if the registry has lost it."""
    async with repository.ask("GET", where) as response:
        known = _RANGE.fullmatch(response.headers.get("Range", ""))
        if not response.is_success or known is None:
            return "", 0
        return urljoin(str(response.url), response.headers.get("Location", where)), int(
            known[1]
        ) + 1


async def _send(
    repository: Repository, where: str, path: Path, blob: Descriptor, *, start: int, told: Told
) -> None:
    part = Part(path, start, lambda sent: told(blob, sent))
    headers = {**_BYTES, "Content-Length": str(blob.size - start)}
    if start:
        headers["Content-Range"] = f"{start}-{blob.size - 1}"
    last = f"{where}{'&' if '?' in where else '?'}digest={blob.digest}"
    async with repository.ask("PUT", last, headers=headers, content=part) as response:
        if response.status_code >= 500 or response.status_code == 416:
            raise CutOff(f"{repository.reference}: {response.status_code} for {blob.digest}")
        await repository.check(response)
