"""kubernetes-workload: how many pods with some labels there are, or on how many nodes they run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from hearth.keda.scalers.catalog import Shared, needed
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import parsing, polled
from hearth.keda.scalers.seam import ConfigError, MetricSpec, Reading, TriggerConfig
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.resources import PODS
from hearth.kube.selectors import parse_label_selector

_ENDED = ("Succeeded", "Failed")
_PAGE = 500
_WAIT = 2.0
"""Seconds until Pods are watched again after a watch ended."""


@dataclass(frozen=True)
class _Settings:
    pod_selector: str = param("podSelector")
    value: float = param("value", default="0")
    activation: float = param("activationValue", default="0")
    group_by_node: bool = param("groupByNode", default="false")


class Workload:
    """A scaler that also watches the Pods, and tells when they get enough (``seam.PushScaler``)."""

    def __init__(self, config: TriggerConfig, settings: _Settings, client: KubeClient) -> None:
        self._settings, self._namespace, self._client = settings, config.namespace, client
        self._closed = asyncio.Event()
        self._polled = polled(
            config,
            f"workload-{config.namespace}",
            target=settings.value,
            activation=settings.activation,
            fetch=self._count,
            doing="error inspecting kubernetes workload",
        )

    @property
    def spec(self) -> MetricSpec:
        """The metric."""
        return self._polled.spec

    async def read(self) -> Reading:
        """Count the Pods."""
        return await self._polled.read()

    async def close(self) -> None:
        """Stop to watch."""
        self._closed.set()

    async def activity(self) -> AsyncIterator[bool]:
        """Yield whether there are more Pods than the activation, now and whenever that changes."""
        told: bool | None = None
        while not self._closed.is_set():
            try:
                async for count in self._counts():
                    if (active := count > self._settings.activation) is not told:
                        told = active
                        yield active
            except ApiError:
                pass  # the poll that comes anyway says what is wrong
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), _WAIT)

    async def _count(self) -> float:
        pods, _ = await self._list()
        return self._counted({str(number): _node(pod) for number, pod in enumerate(pods)})

    async def _list(self) -> tuple[list[Object], str]:
        selector = self._settings.pod_selector
        return await self._client.list(PODS, self._namespace, label_selector=selector, limit=_PAGE)

    async def _counts(self) -> AsyncIterator[int]:
        pods, version = await self._list()
        nodes = {pod["metadata"]["name"]: _node(pod) for pod in pods}
        yield self._counted(nodes)
        async for event in self._client.watch(
            PODS,
            self._namespace,
            resource_version=version,
            label_selector=self._settings.pod_selector,
        ):
            if event.type != "BOOKMARK":
                name = event.object["metadata"]["name"]
                if event.type == "DELETED":
                    nodes.pop(name, None)
                else:
                    nodes[name] = _node(event.object)
                yield self._counted(nodes)

    def _counted(self, nodes: Mapping[str, str | None]) -> int:
        """How many Pods, or their nodes, there are; ``nodes`` has None for a Pod that is over."""
        running = [node for node in nodes.values() if node is not None]
        return len(set(running) - {""}) if self._settings.group_by_node else len(running)


def _node(pod: Object) -> str | None:
    """Where a Pod runs, nothing while it is nowhere; None where it has ended."""
    if pod.get("status", {}).get("phase") in _ENDED:
        return None
    return str(pod["spec"].get("nodeName") or "")


def make(config: TriggerConfig, shared: Shared) -> Workload:
    """Return the scaler of a ``kubernetes-workload`` trigger. Raises ConfigError."""
    with parsing("kubernetes workload", "kubernetes workload"):
        settings = read_params(_Settings, config)
        if settings.value <= 0 and not config.as_metric_source:
            raise ConfigError("value must be a float greater than 0")
    with parsing("kubernetes workload"):
        try:
            parse_label_selector(settings.pod_selector)
        except ValueError as error:
            raise ConfigError(f"error parsing pod selector: {error}") from None
    return Workload(config, settings, needed(shared))
