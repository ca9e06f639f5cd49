"""``azure-app-insights``: an aggregation of a metric of Application Insights.

Sources: KEDA's ``azure_app_insights_scaler.go`` and ``azure/azure_app_insights.go``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus

from hearth.keda.scalers.azure_identity import AzureApplication, AzureIdentity, identity_of
from hearth.keda.scalers.azure_storage import cloud_suffix
from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import need, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig

_ANYWHERE = (METADATA, AUTH, ENV)
_ENDPOINTS = {
    "AZUREPUBLICCLOUD": "https://api.applicationinsights.io",
    "AZUREUSGOVERNMENTCLOUD": "https://api.applicationinsights.us",
    "AZURECHINACLOUD": "https://api.applicationinsights.azure.cn",
}
_AUTHORITIES = {
    "AZUREPUBLICCLOUD": "https://login.microsoftonline.com",
    "AZUREUSGOVERNMENTCLOUD": "https://login.microsoftonline.us",
    "AZURECHINACLOUD": "https://login.chinacloudapi.cn",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    target: float = param("targetValue", optional=True)
    activation: float = param("activationTargetValue", default="0")
    metric: str = param("metricId")
    span: str = param("metricAggregationTimespan")
    aggregation: str = param("metricAggregationType")
    filter: str = param("metricFilter", optional=True)
    ignore_null: bool = param("ignoreNullValues", default="false")
    cloud: str = param("cloud", optional=True)
    endpoint: str = param("appInsightsResourceURL", optional=True)
    application: str = param("applicationInsightsId", order=_ANYWHERE)
    tenant: str = param("tenantId", order=_ANYWHERE)
    client: str = param("activeDirectoryClientId", order=_ANYWHERE, optional=True)
    password: str = param("activeDirectoryClientPassword", order=(AUTH, ENV), optional=True)

    def check(self) -> None:
        """Refuse a span that is no hours and minutes."""
        if self.span.count(":") != 1:
            raise ConfigError(
                "metricAggregationTimespan not in the correct format. Should be hh:mm"
            )

    def query(self) -> dict[str, str]:
        """Return what is asked; raises ScalerError for a span that is no time."""
        hours, _, minutes = self.span.partition(":")
        if not (hours.isdecimal() and minutes.isdecimal()):
            raise ScalerError(f"errors parsing time: {self.span}")
        span = f"PT{int(hours):02}H{int(minutes):02}M"
        filter_ = {"filter": unquote_plus(self.filter)} if self.filter else {}
        return {"aggregation": self.aggregation, "timespan": span, **filter_}


def value_of(found: Any, settings: Settings) -> float:
    """Return the aggregation; what is not there is an error, or 0 where it may be missing."""
    metric = found["value"].get(settings.metric)
    value = metric.get(settings.aggregation) if isinstance(metric, dict) else None
    if value is None:
        if settings.ignore_null:
            return 0.0
        if metric is None:
            raise ScalerError(f"metric named {settings.metric} not found in app insights response")
        was = "was nil for" if settings.aggregation in metric else "did not contain"
        raise ScalerError(f"metric {settings.metric} {was} aggregation type {settings.aggregation}")
    return number(value)


def _application(config: TriggerConfig, settings: Settings, scope: str) -> AzureIdentity:
    names = ("activeDirectoryClientId", "activeDirectoryClientPassword")
    need(dict(zip(names, (settings.client, settings.password), strict=True)))
    host = cloud_suffix(config.metadata, _AUTHORITIES, "activeDirectoryEndpoint")
    who = (settings.tenant, settings.client, settings.password)
    return AzureApplication(*who, scope, config.timeout, host)


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("azure app insights"):
        with parsing("azure app insights"):
            settings = read_params(Settings, config)
        if not settings.target and not config.as_metric_source:
            raise ConfigError("no targetValue given")
        endpoint = cloud_suffix(config.metadata, _ENDPOINTS, "appInsightsResourceURL")
        scope, refused = f"{endpoint}/.default", "azure Monitor doesn't support pod identity"
        identity = identity_of(
            config, scope, lambda: _application(config, settings, scope), refused
        )
    http = client(config)
    url = f"{endpoint}/v1/apps/{quote(settings.application, safe='')}/metrics/{settings.metric}"

    async def fetch() -> float:
        headers = {"Authorization": f"Bearer {await identity.token()}"}
        found = await get_json(http, url, params=settings.query(), headers=headers)
        return value_of(found, settings)

    return polled(
        config,
        f"azure-app-insights-{settings.metric}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error getting azure app insights metric",
    )
