"""Where pipelines are: a cluster and a namespace; and objects of them by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hearth.cli.access import access_of_either
from hearth.cli.errors import UserError
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object
from hearth.pipelines.api import keys

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """What the options of all these commands say."""

    namespace: str
    data_dir: Path
    kubeconfig: Path | None

    def run(self, work: Callable[[KubeClient], Awaitable[T]]) -> T:
        """Do some work with a client; what the API server says against it is a UserError."""

        async def with_client() -> T:
            api = access_of_either(self.kubeconfig, self.data_dir)
            async with KubeClient(api, user_agent="hearth-cli") as client:
                return await work(client)

        try:
            return asyncio.run(with_client())
        except NotFound as error:
            if keys.GROUP in error.message or "could not find" in error.message:
                raise UserError(_NOT_INSTALLED) from error
            raise UserError(error.message) from error
        except ApiError as error:
            raise UserError(error.message) from error


_NOT_INSTALLED = "this cluster has no pipelines: `hearth install --overlay pipelines` puts them in"


async def found_run(client: KubeClient, place: Place, name: str) -> Object:
    """Return a run; raise UserError where there is none."""
    try:
        return await client.get(keys.RUNS, name, place.namespace)
    except NotFound as error:
        raise UserError(
            f"there is no run {name!r} in namespace {place.namespace!r}: `hearth run list` has them"
        ) from error


async def found_pipeline(client: KubeClient, place: Place, name: str) -> Object:
    """Return a pipeline; raise UserError where there is none."""
    try:
        return await client.get(keys.PIPELINES, name, place.namespace)
    except NotFound as error:
        raise UserError(
            f"there is no pipeline {name!r} in namespace {place.namespace!r}: "
            "`hearth pipeline list` has them, `hearth pipeline create SCRIPT` makes one"
        ) from error
