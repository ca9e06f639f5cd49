"""Images of an engine that serves its API."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hearth.cli.containerimages import ContainerImage, Told
from hearth.cli.errors import UserError
from hearth.cluster.node.runtime.api import CreateError
from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError, name_in_path
from hearth.cluster.node.runtime.engine.images import Images, authorization, is_local
from hearth.cluster.node.runtime.engine.opening import credentials_of, login_finder
from hearth.cluster.node.runtime.engine.used import read_used
from hearth.oci.credentials import Login
from hearth.oci.errors import OciError
from hearth.oci.helpers import docker_config, machine_logins
from hearth.oci.references import Reference
from hearth.oci.registry import Repository
from hearth.oci.registry import client as registries

_API = "/v1.41"


class EnginePlace:
    """An engine that serves its API."""

    def __init__(self, kind: str, socket: Path, used: Path) -> None:
        self._kind = kind
        self._used = used
        self._socket = str(socket)

    async def images(self) -> list[ContainerImage]:
        """All that are there."""
        async with self._client() as client:
            entries = await client.call("GET", f"{_API}/images/json", timeout=5)
        used = read_used(self._used)
        found = (names_of(entry, used.get(entry["Id"], 0.0)) for entry in entries or ())
        return [image for images in found for image in images]

    async def pull(self, reference: Reference) -> None:
        """Gets an image as its registry has it now."""
        logins = login_finder(docker_config(os.environ, Path.home()))
        async with self._client() as client:
            try:
                await Images(client, logins, scheme=self._kind).fetch(reference, ())
            except CreateError as error:
                raise UserError(str(error)) from error

    async def push(self, reference: Reference, to: Reference, told: Told) -> str:
        """Has the engine put an image into a registry; returns its digest there."""
        config = docker_config(os.environ, Path.home())
        logins = await machine_logins(config, to)
        async with self._client() as client:
            images = Images(client, login_finder(config), scheme=self._kind)
            found = await images.find(reference)
            if found is None:
                raise UserError(f"{self._kind} has no image {reference}")
            query = {"repo": to.repository, "tag": to.tag}
            await client.call("POST", f"{_API}/images/{found.id}/tag", query)
            await self._push(client, to, logins, told)
        try:
            async with registries() as http:
                return (await Repository(http, to, logins).manifest(to.tag)).digest
        except OciError as error:
            raise UserError(f"the image was pushed; its digest is not known: {error}") from error

    async def _push(
        self, client: EngineClient, to: Reference, logins: Sequence[Login], told: Told
    ) -> None:
        """One login after the other; the last refusal is told."""
        path, query = f"{_API}/images/{name_in_path(to.repository)}/push", {"tag": to.tag}
        if self._kind == "podman":  # whose own call alone knows of registries without TLS
            path = f"/v4.0.0/libpod/images/{name_in_path(str(to))}/push"
            query = {"quiet": "false", "tlsVerify": str(not is_local(to)).lower()}
        refused = ""
        for login in [credentials_of(each) for each in logins] or [{}]:
            headers = authorization(login, to)
            refused = ""
            async for said in client.lines("POST", path, query, headers=headers):
                refused = refused or str(said.get("error") or "")
                _tell(said, told)
            if not refused:
                return
        raise UserError(f'failed to push image "{to}": {refused}')

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


def _tell(said: Mapping[str, Any], told: Told) -> None:
    """Docker's progress of a piece; of Podman the pieces alone."""
    progress = said.get("progressDetail") or {}
    if said.get("id") and progress.get("total"):
        told(str(said["id"]), f"{min(progress['current'] * 100 // progress['total'], 100)} %")
    elif said.get("id"):
        told(str(said["id"]), str(said.get("status")))
    elif str(said.get("stream") or "").startswith("Copying blob sha256:"):
        told(said["stream"].split(":")[1][:12], "Copying")


def names_of(entry: Mapping[str, Any], used_at: float = 0.0) -> list[ContainerImage]:
    """The names of an image as the engine lists it. Pure."""
    digests = dict(str(d).split("@", 1) for d in entry.get("RepoDigests") or () if "@" in str(d))
    return [
        ContainerImage(
            str(name),
            digests.get(str(name).rpartition(":")[0], str(entry["Id"])),
            entry["Size"],
            used_at,
        )
        for name in entry.get("RepoTags") or ()
        if name != "<none>:<none>"
    ]
