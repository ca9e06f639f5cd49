"""Images by the engine: found, pulled, listed, removed."""

from __future__ import annotations

import asyncio
import base64
import json
import platform
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cluster.node.runtime.api import CreateError, StartRequest
from hearth.cluster.node.runtime.containers import pulls
from hearth.cluster.node.runtime.engine.client import EngineClient, EngineError, name_in_path
from hearth.oci.manifests import ImageConfig, Platform, platform_of
from hearth.oci.references import InvalidImageName, Reference, parse_reference

_API = "/v1.41"
_MOST_MISSED = 100
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_INTERPRETERS = {"amd64": "x86_64", "arm64": "aarch64"}

Credentials = Mapping[str, str]
"""``username`` and ``password``, as the engine takes them."""
FindLogins = Callable[[Reference, Sequence[Mapping[str, bytes]]], Awaitable[list[Credentials]]]
"""For an image: those of pull secrets first, then this machine's own."""


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image that is there."""

    id: str
    digest: str
    """``imageID`` of a container's status: repository and digest."""
    size: int
    config: ImageConfig


class Images:
    """The images of one engine."""

    def __init__(self, client: EngineClient, find_logins: FindLogins, *, scheme: str) -> None:
        self._client = client
        self._find_logins = find_logins
        self._scheme = scheme
        self._pulls: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._missed: set[Reference] = set()

    async def have_come(self) -> bool:
        """Whether images that could not be pulled are there now: somebody has made them here."""
        found = [reference for reference in list(self._missed) if await self.find(reference)]
        self._missed.difference_update(found)
        return bool(found)

    async def ensure(self, request: StartRequest) -> EngineImage:
        """The image of a container by its pull policy, told as kubelet tells it.

        Raises CreateError with kubelet's reasons.
        """
        container = request.container
        try:
            reference = parse_reference(container.image)
        except InvalidImageName as error:
            text = f'Failed to apply default image tag "{container.image}": {error}'
            raise CreateError("InvalidImageName", text) from error
        image = await self.find(reference)
        policy = container.pull_policy
        if image is not None and reference.domain == "localhost":
            policy = "IfNotPresent"  # made by Podman here: there is no registry of that name
        if pulls.needs_pull(container.image, policy, is_present=image is not None):
            image = await self._pull(request, reference)
        else:
            request.report("Normal", "Pulled", pulls.present(container.image))
        assert image is not None
        check_platform(container.image, image.config.platform)
        return image

    async def find(self, reference: Reference) -> EngineImage | None:
        """The image of that name; one that Podman has built here is of ``localhost``."""
        names = [str(reference)]
        if self._scheme == "podman" and reference.domain == "docker.io":
            local = str(reference).removeprefix("docker.io/").removeprefix("library/")
            names.append(f"localhost/{local}")
        for name in names:
            try:
                found = await self._client.call("GET", f"{_API}/images/{name_in_path(name)}/json")
            except EngineError as error:
                if error.status == 404:
                    continue
                raise CreateError("ImageInspectError", _inspect_text(name, error)) from error
            return parse_image(found, reference)
        return None

    async def _pull(self, request: StartRequest, reference: Reference) -> EngineImage:
        name = request.container.image
        request.report("Normal", "Pulling", pulls.pulling(name))
        began = time.monotonic()
        seconds = await self.fetch(reference, _pull_secrets(request))
        image = await self.find(reference)
        if image is None:
            raise CreateError("ErrImagePull", f'image "{name}" was pulled and is not there')
        waited = time.monotonic() - began
        text = pulls.pulled(name, seconds=min(seconds, waited), waited=waited, size=image.size)
        request.report("Normal", "Pulled", text)
        return image

    async def fetch(self, reference: Reference, secrets: Sequence[Mapping[str, bytes]]) -> float:
        """Gets an image as its registry has it now; returns the seconds that took.

        Those that wait for the same image with the same rights wait for one pull. Raises
        CreateError.
        """
        logins = await self._find_logins(reference, secrets)
        key = str(reference), json.dumps(logins)
        began = time.monotonic()
        task = self._pulls.get(key)
        if task is None:
            task = asyncio.create_task(self._try(reference, logins), name=f"pull-{reference}")
            self._pulls[key] = task
            task.add_done_callback(lambda _: self._pulls.pop(key, None))
        try:
            await asyncio.shield(task)
        except EngineError as error:
            if len(self._missed) < _MOST_MISSED:
                self._missed.add(reference)
            raise CreateError("ErrImagePull", str(error)) from error
        self._missed.discard(reference)
        return time.monotonic() - began

    async def _try(self, reference: Reference, logins: Sequence[Credentials]) -> None:
        """One login after the other, as kubelet does; the last refusal is told."""
        for number, login in enumerate(logins or [None], 1):
            try:
                await self.pull(reference, login)
            except EngineError:
                if number >= len(logins):
                    raise
            else:
                return

    async def pull(self, reference: Reference, credentials: Credentials | None) -> None:
        """Raises EngineError with what the engine says."""
        path, query = f"{_API}/images/create", {"fromImage": str(reference)}
        if self._scheme == "podman":  # whose own call alone knows of registries without TLS
            path = "/v4.0.0/libpod/images/pull"
            query = {"reference": str(reference), "policy": "always"}
            query |= {"tlsVerify": "false"} if is_local(reference) else {}
        headers = authorization(credentials, reference) if credentials else {}
        async for step in self._client.lines("POST", path, query, headers=headers):
            if step.get("error"):
                raise EngineError(500, str(step["error"]))

    async def close(self) -> None:
        """Ends pulls that nobody waits for any more."""
        for task in list(self._pulls.values()):
            task.cancel()
        await asyncio.gather(*self._pulls.values(), return_exceptions=True)


def authorization(credentials: Credentials, reference: Reference) -> dict[str, str]:
    """The header that tells an engine who asks."""
    text = json.dumps({**credentials, "serveraddress": reference.domain})
    return {"X-Registry-Auth": base64.urlsafe_b64encode(text.encode()).decode()}


def is_local(reference: Reference) -> bool:
    """Whether the registry is on this machine: there nobody expects TLS."""
    host = reference.domain.rpartition(":")[0] or reference.domain
    return host in _LOCAL_HOSTS or host.startswith("127.")


def parse_image(found: Mapping[str, Any], reference: Reference) -> EngineImage:
    """An image as the engine describes it. Pure."""
    config = found.get("Config") or {}
    pairs = (str(entry).partition("=") for entry in config.get("Env") or ())
    identity = str(found["Id"])
    identity = identity if identity.startswith("sha256:") else f"sha256:{identity}"
    digests = [str(digest) for digest in found.get("RepoDigests") or ()]
    ours = [d for d in digests if d.partition("@")[0] == reference.repository]
    wanted = f"{reference.repository}@{reference.digest}"
    own = f"{reference.repository}@{identity}"
    return EngineImage(
        id=identity,
        digest=wanted if wanted in ours else (ours or digests or [own])[0],
        size=int(found.get("Size") or 0),
        config=ImageConfig(
            platform=Platform(str(found.get("Os") or ""), str(found.get("Architecture") or "")),
            entrypoint=tuple(config.get("Entrypoint") or ()),
            cmd=tuple(config.get("Cmd") or ()),
            env={name: value for name, _, value in pairs},
            workdir=str(config.get("WorkingDir") or ""),
            user=str(config.get("User") or ""),
            stop_signal=str(config.get("StopSignal") or ""),
        ),
    )


def check_platform(image: str, has: Platform) -> None:
    """An image for another processor runs where the kernel has an interpreter for it."""
    here = platform_of(platform.machine())
    if not has.architecture or has.architecture == here.architecture:
        return
    name = _INTERPRETERS.get(has.architecture, has.architecture)
    if not Path(f"/proc/sys/fs/binfmt_misc/qemu-{name}").exists():
        raise CreateError(
            "ErrImagePull", f'image "{image}" is for {has}, and this machine is {here}'
        )


def _inspect_text(name: str, error: EngineError) -> str:
    return f'Failed to inspect image "{name}": {error}'


def _pull_secrets(request: StartRequest) -> list[Mapping[str, bytes]]:
    """The data of the pod's pull secrets; those that are not there are passed over."""
    names = request.facts.pod["spec"].get("imagePullSecrets") or ()
    found = (request.sources.secret(each.get("name") or "") for each in names)
    return [data for data in found if data]
