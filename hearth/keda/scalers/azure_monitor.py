"""``azure-monitor``: the newest value of a metric of a resource.

Sources: KEDA's ``azure_monitor_scaler.go``; "Metrics - List" of Azure Monitor's REST reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers.azure_identity import AzureApplication, AzureIdentity, identity_of
from hearth.keda.scalers.azure_storage import cloud_suffix
from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import need, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig
from hearth.kube.clock import Clock, rfc3339, wall_clock

_VERSION = "2018-01-01"
_ANYWHERE = (METADATA, ENV, AUTH)
_WINDOW_SECONDS = 300.0
_TYPES = ("Average", "Count", "Maximum", "Minimum", "None", "Total")
_ENDPOINTS = {
    "AZUREPUBLICCLOUD": "https://management.azure.com",
    "AZUREUSGOVERNMENTCLOUD": "https://management.usgovcloudapi.net",
    "AZURECHINACLOUD": "https://management.chinacloudapi.cn",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    target: float = param("targetValue")
    activation: float = param("activationTargetValue", default="0")
    resource: str = param("resourceURI")
    tenant: str = param("tenantId")
    subscription: str = param("subscriptionId")
    group: str = param("resourceGroupName")
    metric: str = param("metricName")
    namespace: str = param("metricNamespace", optional=True)
    filter: str = param("metricFilter", optional=True)
    interval: str = param("metricAggregationInterval", optional=True)
    aggregation: str = param("metricAggregationType")
    client: str = param("activeDirectoryClientId", order=_ANYWHERE, optional=True)
    password: str = param("activeDirectoryClientPassword", order=_ANYWHERE, optional=True)
    cloud: str = param("cloud", optional=True)
    endpoint: str = param("azureResourceManagerEndpoint", optional=True)

    def check(self) -> None:
        """Refuse forms that Azure does not have."""
        if self.resource.count("/") != 2:
            raise ConfigError(
                "resourceURI not in the correct format. Should be "
                "namespace/resource_type/resource_name"
            )
        if self.aggregation not in _TYPES:
            raise ConfigError("invalid metricAggregationType given")
        if self.interval and self.interval.count(":") != 2:
            raise ConfigError(
                "metricAggregationInterval not in the correct format. Should be hh:mm:ss"
            )

    def path(self) -> str:
        """Return where the resource's metrics are."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{group}/providers/{self.resource}/providers/Microsoft.Insights/metrics"

    def query(self, now: float) -> dict[str, str]:
        """Return what is asked; raises ScalerError for an interval that is no time."""
        seconds = _WINDOW_SECONDS
        if self.interval:
            parts = self.interval.split(":")
            if not all(part.strip().isdecimal() for part in parts):
                raise ScalerError(f"errors parsing metricAggregationInterval: {self.interval}")
            hours, minutes, rest = map(int, parts)
            seconds = hours * 3600 + minutes * 60 + rest
        asked = {
            "metricnames": self.metric,
            "timespan": f"{rfc3339(now - seconds)}/{rfc3339(now)}",
            "aggregation": self.aggregation,
            "metricnamespace": self.namespace,
            "$filter": self.filter,
        }
        return {"api-version": _VERSION} | {key: value for key, value in asked.items() if value}


def newest(found: Any, aggregation: str) -> float:
    """Return the last value of the first series; raises ScalerError where there is none."""
    metrics = found["value"]
    if len(metrics) != 1:
        raise ScalerError("got an empty response for the metric")
    series = metrics[0].get("timeseries")
    if not series:
        raise ScalerError("got metric result without timeseries")
    data = series[0].get("data")
    if not data:
        raise ScalerError("got metric result without any metric values")
    value = data[-1].get(aggregation.lower())
    if value is None:
        raise ScalerError(f"unsupported aggregation type {aggregation}")
    return number(value)


def _application(config: TriggerConfig, settings: Settings, scope: str) -> AzureIdentity:
    names = ("activeDirectoryClientId", "activeDirectoryClientPassword")
    need(dict(zip(names, (settings.client, settings.password), strict=True)))
    who = (settings.tenant, settings.client, settings.password)
    return AzureApplication(*who, scope, config.timeout)


def make(config: TriggerConfig, clock: Clock = wall_clock) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("azure monitor"):
        with parsing("azure monitor"):
            settings = read_params(Settings, config)
        if not settings.target and not config.as_metric_source:
            raise ConfigError("no targetValue given")
        endpoint = cloud_suffix(config.metadata, _ENDPOINTS, "azureResourceManagerEndpoint")
        scope, refused = f"{endpoint}/.default", "azure Monitor doesn't support pod identity"
        identity = identity_of(
            config, scope, lambda: _application(config, settings, scope), refused
        )
    http = client(config)

    async def fetch() -> float:
        headers = {"Authorization": f"Bearer {await identity.token()}"}
        url = f"{endpoint}{settings.path()}"
        found = await get_json(http, url, params=settings.query(clock()), headers=headers)
        return newest(found, settings.aggregation)

    return polled(
        config,
        f"azure-monitor-{settings.metric}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error getting azure monitor metric",
    )
