"""The component ``external-scaler``: what a real KEDA asks about routes of its HTTP add-on.

It also stands for the add-on's operator: it makes the ScaledObjects of HTTPScaledObjects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hearth.keda.external.hub import RouteHub
from hearth.kube.client import KubeClient
from hearth.kube.sharedtokens import TokenSource, kept_tokens


class NotInstalled(ValueError):
    """grpcio is not there."""


@dataclass(frozen=True, slots=True)
class ExternalScalerConfig:
    """How the component is set up."""

    kubeconfig: Path
    host: str = "127.0.0.1"
    port: int = 0
    """Where KEDA asks; 0 takes a free one."""
    stats_host: str = "127.0.0.1"
    stats_port: int = 0
    """Where activators report."""
    stats_token: TokenSource = ""


async def run(config: ExternalScalerConfig, ready: Callable[[], None]) -> None:
    """Answer until cancelled."""
    try:
        from hearth.keda.external.server import ExternalScalerServer
    except ModuleNotFoundError as error:
        raise NotInstalled(f"{error}: it takes grpcio, of the extra `scalers`") from error
    async with (
        KubeClient.from_kubeconfig(
            config.kubeconfig, user_agent="hearth-external-scaler"
        ) as client,
        kept_tokens(client, config.stats_token) as tokens,
        RouteHub(client, tokens, config.stats_host, config.stats_port) as hub,
    ):
        server = ExternalScalerServer(hub)
        await server.start(config.host, config.port)
        try:
            ready()
            await asyncio.Event().wait()
        finally:
            await server.stop()
