"""``hearth func invoke``: sends a function one request or event, as func does by default."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hearth.cli.access import access_of_either
from hearth.cli.calling import called
from hearth.cli.deploy.wanted import pairs
from hearth.cli.errors import UserError
from hearth.cli.func.projects import named, project_in
from hearth.cli.func.running import local_port
from hearth.cli.services import detour_to, url_of
from hearth.functions.projects.project import FILE
from hearth.kube.access import Access
from hearth.kube.client import KubeClient

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent; the defaults are func's own."""

    id: str = ""
    source: str = "/boson/fn"
    type: str = "boson.fn"
    data: str = '{"message":"Hello World"}'
    content_type: str = "application/json"
    extensions: Sequence[str] = ()

    def headers(self, as_event: bool) -> dict[str, str]:
        """Return the fields of the request: of a CloudEvent in binary mode, or of HTTP alone."""
        if not as_event:
            return {"Content-Type": self.content_type}
        event = {"id": self.id or str(uuid.uuid4()), "source": self.source, "type": self.type}
        event |= {"specversion": "1.0", **pairs("--extension", self.extensions)}
        named = {f"ce-{name}": value for name, value in event.items()}
        return {"Content-Type": self.content_type, **named}


def file_data(path: Path) -> str:
    """Return what is in a file as func sends it, in base64."""
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function is, and how its project says that it is called.

    ``gateway`` is asked in the place of a host that does not resolve here.
    """

    url: str
    invoke: str
    gateway: str = ""


def place_of(
    path: Path, target: str, namespace: str | None, kubeconfig: Path | None, data_dir: Path
) -> Place:
    """Return where to send it: a URL, where it runs here, or where it is deployed."""
    if "://" in target:
        invoke = project_in(path).invoke if (path / FILE).exists() else None
        return Place(target, invoke or "http")
    if target not in ("", "local", "remote"):
        raise UserError(f"--target {target!r}: give local, remote or a URL")
    project = project_in(path)
    port = None if target == "remote" else local_port(path)
    if port is not None:
        return Place(f"http://127.0.0.1:{port}", project.invoke or "http")
    if target == "local":
        raise UserError("it does not run here: `hearth func run` runs it")
    name, where = named("", path, namespace)
    api = access_of_either(kubeconfig, data_dir)
    url = url_of(api, name, where)
    gateway = asyncio.run(_detour(api, url)) if kubeconfig is not None else ""
    return Place(url, project.invoke or "http", gateway)


async def _detour(api: Access, url: str) -> str:
    async with KubeClient(api) as client:
        return await detour_to(client, url)


def invoke(place: Place, message: Message, *, format: str, method: str, authority: Path) -> int:
    """Send it and print the answer; return 0 for an answer of 2xx, else 1.

    The certificate ``authority`` is trusted as well, where it is there.
    """
    shape = format or place.invoke
    if shape not in ("http", "cloudevent"):
        raise UserError(f"--format {shape!r}: give http or cloudevent")
    if method not in ("POST", "GET"):
        raise UserError(f"--request-type {method!r}: give POST or GET")
    answer = called(
        method,
        place.url,
        message.data.encode(),
        message.headers(shape == "cloudevent"),
        authority=authority,
        seconds=_SECONDS,
        gateway=place.gateway,
    )
    if not answer.is_success:
        print(f"{answer.status_code} {answer.reason_phrase}")
    print(answer.text)
    return 0 if answer.is_success else 1
