"""Images of an engine that serves its API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hearth.cli.containerimages import ContainerImage
from hearth.cli.errors import UserError
from hearth.cluster.node.runtime.api import CreateError
from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError, name_in_path
from hearth.cluster.node.runtime.engine.images import Images
from hearth.cluster.node.runtime.engine.opening import login_finder
from hearth.oci.references import Reference

_API = "/v1.41"


class EnginePlace:
    """An engine that serves its API."""

    def __init__(self, kind: str, socket: Path) -> None:
        self._kind = kind
        self._socket = str(socket)

    async def images(self) -> list[ContainerImage]:
        """All that are there."""
        async with self._client() as client:
            entries = await client.call("GET", f"{_API}/images/json", timeout=5)
        return [image for entry in entries or () for image in names_of(entry)]

    async def pull(self, reference: Reference) -> None:
        """Gets an image as its registry has it now."""
        logins = login_finder(Path.home() / ".docker/config.json")
        async with self._client() as client:
            try:
                await Images(client, logins, scheme=self._kind).fetch(reference, ())
            except CreateError as error:
                raise UserError(str(error)) from error

    async def load(self, archive: Path, name: Reference | None) -> list[str]:
        """Takes the images of an archive; returns their names."""
        loaded: list[str] = []
        with archive.open("rb") as file:
            async with self._client() as client:
                async for said in client.lines("POST", f"{_API}/images/load", body=file):
                    if said.get("error"):
                        raise UserError(str(said["error"]))
                    _, loads, image = str(said.get("stream") or "").partition("Loaded image")
                    loaded += [image.partition(":")[2].strip()] if loads else []
                if name is not None:
                    return [await self._tag(client, loaded, name)]
        return loaded

    async def _tag(self, client: EngineClient, loaded: Sequence[str], name: Reference) -> str:
        if len(loaded) != 1:
            raise UserError(f"{len(loaded)} images were loaded, so none of them is {name} now")
        query = {"repo": name.repository, "tag": name.tag}
        await client.call("POST", f"{_API}/images/{name_in_path(loaded[0])}/tag", query)
        return str(name)

    async def remove(self, reference: Reference) -> bool:
        """Refused: others use what an engine keeps."""
        raise UserError(
            f"others use images of an engine, too; it has: {self._kind} rmi {reference}"
        )

    async def prune(self, in_use: Collection[Reference]) -> int:
        """Refused: others use what an engine keeps."""
        raise UserError(f"others use images of an engine, too; it has: {self._kind} image prune")

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[EngineClient]:
        client = EngineClient(self._socket)
        try:
            yield client
        except EngineError as error:
            raise UserError(f"{self._kind}: {error}") from error
        finally:
            await client.close()


def names_of(entry: Mapping[str, Any]) -> list[ContainerImage]:
    """The names of an image as the engine lists it. Pure."""
    digests = dict(str(d).split("@", 1) for d in entry.get("RepoDigests") or () if "@" in str(d))
    return [
        ContainerImage(
            str(name), digests.get(str(name).rpartition(":")[0], str(entry["Id"])), entry["Size"]
        )
        for name in entry.get("RepoTags") or ()
        if name != "<none>:<none>"
    ]
