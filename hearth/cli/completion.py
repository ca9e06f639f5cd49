"""Shell completion: the script for a shell, and names of what is there at the moment.

A name is asked for by one short request at the API's socket, without what a whole client imports,
and anything that goes wrong completes to nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer
from typer.completion import (  # type: ignore[attr-defined]
    completion_init,
    get_completion_script,
)

from hearth.cli import names
from hearth.cli.state import running_state

if TYPE_CHECKING:
    from hearth.kube.access import Access

_VARIABLE = "_HEARTH_COMPLETE"
_SECONDS = 0.5
_KNATIVE = "/apis/serving.knative.dev/v1"
_TABLE = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Shell(StrEnum):
    """Shells that a script is there for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def script(shell: Shell) -> str:
    """Return what a shell has to read to complete ``hearth``."""
    return str(get_completion_script(prog_name="hearth", complete_var=_VARIABLE, shell=shell.value))


def prepare() -> None:
    """Let the command line answer a shell that asks how words go on."""
    if _VARIABLE in os.environ:
        completion_init()


def service_names(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Return the Services of the namespace that the command line names."""
    namespace = context.params.get("namespace") or "default"
    return _starting(incomplete, context, f"{_KNATIVE}/namespaces/{namespace}/services")


def revision_names(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Return the Revisions of the namespace that the command line names."""
    namespace = context.params.get("namespace") or "default"
    return _starting(incomplete, context, f"{_KNATIVE}/namespaces/{namespace}/revisions")


def namespace_names(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Return the namespaces."""
    return _starting(incomplete, context, "/api/v1/namespaces")


def _starting(incomplete: str, context: typer.Context, path: str) -> Sequence[str]:
    with contextlib.suppress(Exception):  # a shell that completes has no place for errors
        return sorted(
            name for name in _names(_access(context), path) if name.startswith(incomplete)
        )
    return ()


def _access(context: typer.Context) -> Access:
    from hearth.kube.kubeconfig import access_of  # each command imports this module

    kubeconfig, folder = context.params.get("kubeconfig"), context.params.get("data_dir")
    if kubeconfig is not None:
        return access_of(Path(kubeconfig))
    name = context.params.get("name") or os.environ.get("HEARTH_NAME") or names.DEFAULT
    folder = folder or os.environ.get("HEARTH_DATA_DIR") or names.data_dir_of(name)
    return access_of(Path(running_state(Path(folder).expanduser())["kubeconfig"]))


def _names(api: Access, path: str) -> list[str]:
    connection = _connection(api)
    with contextlib.closing(connection):
        fields = {"Accept": _TABLE}
        if api.token:
            fields["Authorization"] = f"Bearer {api.token}"
        connection.request("GET", path, headers=fields)
        found = json.loads(connection.getresponse().read())
    return [each["metadata"]["name"] for each in found["items"]]


def _connection(api: Access) -> http.client.HTTPConnection:
    if api.socket is not None:
        connection = http.client.HTTPConnection("localhost", timeout=_SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(_SECONDS)
        connection.sock.connect(str(api.socket))
        return connection
    address = urlsplit(api.server)
    where, context = (address.hostname or "", address.port), api.ssl_context()
    if isinstance(context, bool):
        return http.client.HTTPConnection(*where, timeout=_SECONDS)
    return http.client.HTTPSConnection(*where, timeout=_SECONDS, context=context)
