"""kubernetes-workload: how many pods with some labels there are, or on how many nodes they run."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.keda.scalers.catalog import Shared, needed
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import Polled, parsing, polled
from hearth.keda.scalers.seam import ConfigError, TriggerConfig
from hearth.kube.resources import PODS
from hearth.kube.selectors import parse_label_selector

_ENDED = ("Succeeded", "Failed")
_PAGE = 500


@dataclass(frozen=True)
class _Settings:
    pod_selector: str = param("podSelector")
    value: float = param("value", default="0")
    activation: float = param("activationValue", default="0")
    group_by_node: bool = param("groupByNode", default="false")


def make(config: TriggerConfig, shared: Shared) -> Polled:
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
    client = needed(shared)

    async def fetch() -> float:
        pods, _ = await client.list(
            PODS, config.namespace, label_selector=settings.pod_selector, limit=_PAGE
        )
        running = [pod for pod in pods if pod.get("status", {}).get("phase") not in _ENDED]
        nodes = {pod["spec"].get("nodeName") or "" for pod in running} - {""}
        return len(nodes if settings.group_by_node else running)

    return polled(
        config,
        f"workload-{config.namespace}",
        target=settings.value,
        activation=settings.activation,
        fetch=fetch,
        doing="error inspecting kubernetes workload",
    )
