"""``datadog``: the newest value of a query, or of a DatadogMetric that the cluster agent serves.

Source: KEDA's ``datadog_scaler.go``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hearth.keda.scalers.http import Answer, answer, client
from hearth.keda.scalers.params import AUTH, Seconds, param, read_params
from hearth.keda.scalers.paths import MISSING, lookup
from hearth.keda.scalers.polled import need, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, MetricType, Scaler, ScalerError, TriggerConfig
from hearth.kube.clock import Clock, wall_clock
from hearth.kube.quantity import parse_quantity

_NONE = "no Datadog metrics returned for the given time window"
_KINDS = {"average": MetricType.AVERAGE_VALUE, "global": MetricType.VALUE}
_LIMIT = ("X-Ratelimit-Limit", "X-Ratelimit-Period", "X-Ratelimit-Reset")


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    agent_namespace: str = param("datadogNamespace", order=(AUTH,), optional=True)
    agent_service: str = param("datadogMetricsService", order=(AUTH,), optional=True)
    agent_port: int = param("datadogMetricsServicePort", order=(AUTH,), default="8443")
    unsafe_ssl: bool = param("unsafeSsl", order=(AUTH,), default="false")
    mode: str = param("authMode", order=(AUTH,), optional=True)
    token: str = param("token", order=(AUTH,), optional=True)
    metric: str = param("datadogMetricName", optional=True)
    metric_namespace: str = param("datadogMetricNamespace", optional=True)
    agent_activation: float = param("activationTargetValue", default="0")
    api_key: str = param("apiKey", order=(AUTH,), optional=True)
    app_key: str = param("appKey", order=(AUTH,), optional=True)
    site: str = param("datadogSite", order=(AUTH,), default="datadoghq.com")
    query: str = param("query", optional=True)
    aggregator: str = param("queryAggregator", optional=True, enum=("average", "max"))
    activation: float = param("activationQueryValue", default="0")
    age: int = param("age", default="90")
    offset: int = param("timeWindowOffset", default="0")
    point_offset: int = param("lastAvailablePointOffset", default="0")
    by_agent: bool = param("useClusterAgentProxy", default="false")
    hpa_metric: str = param("hpaMetricName", optional=True)
    filler: float | None = param("metricUnavailableValue", optional=True)
    target: float = param("targetValue", "queryValue", default="-1")
    timeout: Seconds = param("timeout", optional=True)

    def check(self) -> None:
        """Refuse times before the beginning, a query without a scope, a caller without a token."""
        times = {"age": self.age, "timeWindowOffset": self.offset}
        for name, seconds in times.items():
            if seconds < 0:
                raise ConfigError(f"{name} should not be smaller than 0 seconds")
        if self.point_offset < 0:
            raise ConfigError("lastAvailablePointOffset should not be smaller than 0")
        if self.query and not ("{" in self.query and "}" in self.query.partition("{")[2]):
            raise ConfigError("error in query: malformed Datadog query: missing query scope")
        if self.mode and self.mode.strip() != "bearer":
            raise ConfigError(f"err incorrect value for authMode is given: {self.mode}")
        if self.mode and not self.token:
            raise ConfigError("BearerToken is required")

    def check_place(self, config: TriggerConfig) -> None:
        """Refuse what is incomplete for the place where the value is asked for."""
        needed = {
            "error parsing Datadog metadata: missing AppKey": self.app_key,
            "error parsing Datadog metadata: missing APIKey": self.api_key,
        }
        if self.by_agent:
            needed = {
                "datadog metrics service is required": self.agent_service,
                "datadog metric name is required": self.metric,
                "datadog namespace is required": self.agent_namespace,
                "datadog metric namespace is required": self.metric_namespace,
            }
        need(needed, "{}")
        if self.target == -1 and not config.as_metric_source:
            raise ConfigError("no targetValue or queryValue given")
        kind = config.metadata.get("type")
        if kind is not None and config.metric_type is not None:
            raise ConfigError(
                "only one of trigger.metadata.type or trigger.metricType should be defined"
            )
        if kind is not None and kind.lower() not in _KINDS:
            raise ConfigError("type has to be global or average")
        if not self.by_agent and not self.query:
            raise ConfigError("error parsing Datadog metadata: missing Query")


def filled(settings: Settings, why: str) -> float:
    """Return what stands for a value that is not there; raises ScalerError where nothing does."""
    if settings.filler is None:
        raise ScalerError(why)
    return settings.filler


def value_of(found: Any, settings: Settings) -> float:
    """Return the newest value of the series: the greatest, or the average, where there are more."""
    if found.get("status") == "error":
        raise ScalerError(f"error when retrieving Datadog metrics: {found.get('error', '')}")
    series = found.get("series") or []
    if not series:
        return filled(settings, _NONE)
    if len(series) > 1 and not settings.aggregator:
        raise ScalerError(
            "query returned more than 1 series; modify the query to return only 1 series or "
            "add a queryAggregator"
        )
    newest = [_newest(each.get("pointlist") or [], settings.point_offset) for each in series]
    values = [each for each in newest if each is not None]
    if len(values) < len(newest):
        return filled(settings, _NONE)
    return fmean(values) if settings.aggregator == "average" else max(values)


def _newest(points: Sequence[Any], offset: int) -> float | None:
    """The last point that has a value, or so many before it."""
    values = [point[1] if len(point) > 1 else None for point in points]
    last = next((i for i in reversed(range(len(values))) if values[i] is not None), len(values) - 1)
    if last < offset:
        raise ScalerError("index is smaller than the lastAvailablePointOffset")
    found = values[last - offset]
    return None if found is None else number(found)


def agents_value(found: Answer, settings: Settings) -> float:
    """Return the value in the answer of the cluster agent's metrics API."""
    if found.status != 200:
        why = f"error getting metric value: unexpected status code {found.status}"
        if found.status == 422:
            return filled(settings, why)
        raise ScalerError(why)
    value = lookup(found.json(), "items.0.value")
    try:
        if value is MISSING or isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(value)
        return float(parse_quantity(value).amount) if isinstance(value, str) else float(value)
    except ValueError:
        shown = "Null" if value is MISSING else value
        raise ScalerError(
            "the metric value must be of type number or a string representing a Quantity "
            f"got: '{shown}'"
        ) from None


def answered(found: Answer, settings: Settings) -> float:
    """Return the value in the answer of Datadog's API."""
    if found.status == 403:
        raise ScalerError(
            "unauthorized to connect to Datadog. Check that your Datadog API and App keys are "
            "correct and that your App key has the correct permissions"
        )
    if found.status == 429:
        limit, period, reset = (found.headers.get(name, "") for name in _LIMIT)
        raise ScalerError(
            f"your Datadog account reached the {limit} queries per {period} seconds rate limit, "
            f"next limit reset will happen in {reset} seconds"
        )
    if found.status == 422:
        return filled(settings, "error when retrieving Datadog metrics")
    if found.status != 200:
        raise ScalerError("error when retrieving Datadog metrics")
    return value_of(found.json(), settings)


def make(config: TriggerConfig, clock: Clock = wall_clock) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("Datadog"):
        settings = read_params(Settings, config)
    settings.check_place(config)
    if settings.by_agent:
        return _of_agent(config, settings)
    http = client(config, timeout=settings.timeout or None)
    keys = {"DD-API-KEY": settings.api_key, "DD-APPLICATION-KEY": settings.app_key}
    url = f"https://api.{settings.site}/api/v1/query"
    if "://" in settings.site:
        url = f"{settings.site}/api/v1/query"

    async def fetch() -> float:
        until = int(clock()) - settings.offset
        asked = {"from": str(until - settings.age), "to": str(until), "query": settings.query}
        found = await answer(http, url, params=asked, headers=keys, ok=range(200, 600))
        return answered(found, settings)

    return polled(
        config,
        f"datadog-{settings.query.partition('{')[0]}",
        target=max(settings.target, 0.0),
        activation=settings.activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error getting metrics from Datadog",
        timeout=settings.timeout or None,
    )


def _of_agent(config: TriggerConfig, settings: Settings) -> Scaler:
    http = client(config, unsafe_ssl=settings.unsafe_ssl, timeout=settings.timeout or None)
    name = f"datadogmetric@{settings.metric_namespace}:{settings.metric}"
    host = f"{settings.agent_service}.{settings.agent_namespace}:{settings.agent_port}"
    api = f"https://{host}/apis/external.metrics.k8s.io/v1beta1"
    headers = {"Authorization": f"Bearer {settings.token}"} if settings.mode else {}

    async def fetch() -> float:
        url = f"{api}/namespaces/{settings.metric_namespace}/{name}"
        return agents_value(await answer(http, url, headers=headers, ok=range(200, 600)), settings)

    made = polled(
        config,
        name,
        target=max(settings.target, 0.0),
        activation=settings.agent_activation,
        fetch=fetch,
        closing=http.aclose,
        doing="error getting metric value",
        timeout=settings.timeout or None,
    )
    made.spec = dataclasses.replace(made.spec, name=name)  # as the agent knows it, without an index
    return made
