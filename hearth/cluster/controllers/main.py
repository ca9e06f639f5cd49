"""Runs the cluster controllers, each declared in a module of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cluster.controllers import (
    claims,
    cronjob,
    deployment,
    endpointslice,
    job,
    replicaset,
)
from hearth.cluster.controllers.autoscaling.controller import SYNC_SECONDS, Autoscaler
from hearth.kube.client import KubeClient
from hearth.kube.controllerspec import ControllerSpec
from hearth.kube.manager import Manager

NAME = "kube-controller-manager"
CONTROLLERS: tuple[ControllerSpec[Any, object], ...] = (
    deployment.CONTROLLER,
    replicaset.CONTROLLER,
    job.CONTROLLER,
    cronjob.CONTROLLER,
    endpointslice.CONTROLLER,
    claims.CONTROLLER,
    claims.VOLUME_CONTROLLER,
)


@dataclass(frozen=True, slots=True)
class ControllersConfig:
    """Where the API server is."""

    kubeconfig: Path
    autoscaler_sync_seconds: float = SYNC_SECONDS
    """How often a HorizontalPodAutoscaler is looked at."""


async def run(config: ControllersConfig, ready: Callable[[], None]) -> None:
    """Run until cancelled; call ``ready`` once every cache holds its first list."""
    async with KubeClient.from_kubeconfig(config.kubeconfig, user_agent=NAME) as client:
        manager = Manager(client, name=NAME)
        for spec in CONTROLLERS:
            manager.add(spec, lambda: None)
        Autoscaler(manager, sync_seconds=config.autoscaler_sync_seconds)
        await manager.run(ready)
