"""``gcp-pubsub``, ``gcp-cloudtasks`` and ``gcp-stackdriver``: values of Cloud Monitoring.

Sources: KEDA's ``gcp_pubsub_scaler.go``, ``gcp_cloud_tasks_scaler.go``,
``gcp_stackdriver_scaler.go`` and ``gcp/gcp_stackdriver_client.go``; the REST reference of Cloud
Monitoring (``timeSeries``).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers.gcp_identity import Common, GoogleIdentity
from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import ENV, METADATA, Seconds, param, read_params
from hearth.keda.scalers.polled import Polled, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig
from hearth.kube.clock import Clock, rfc3339, wall_clock

_API = "https://monitoring.googleapis.com/v3"
_SCOPE = "https://www.googleapis.com/auth/monitoring.read"
_WINDOW_MINUTES = 2
_RESOURCE = re.compile(r"projects/([a-z][a-zA-Z0-9-]*[a-zA-Z0-9])/(?:subscriptions|topics)/(.+)")
_RESOURCE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}")
_AGGREGATIONS = ("median", "mean", "variance", "stddev", "sum", "count")
_REDUCERS = (
    *("none", "mean", "min", "max", "sum", "stddev", "count", "count_true", "count_false"),
    *("fraction_true", "percentile_99", "percentile_95", "percentile_50", "percentile_05"),
)
_ALIGNERS = (*_REDUCERS, "delta", "rate", "interpolate", "next_older", "percent_change")
_BOTH = (METADATA, ENV)


class Monitoring:
    """Asks Cloud Monitoring for one value."""

    def __init__(self, config: TriggerConfig, project: str, clock: Clock) -> None:
        self._identity, self._http = GoogleIdentity(config, _SCOPE, clock), client(config)
        self._project, self._clock = project, clock
        self.close, self.secrets = self._http.aclose, self._identity.secrets

    async def listed(
        self, filter_: str, minutes: int, aggregation: dict[str, str], missing: float | None
    ) -> float:
        """Return the newest point of the first series that a filter finds."""
        project, now = await self.project(), self._clock()
        filter_ = f'{filter_} AND resource.labels.project_id="{project}"'
        asked = {
            "filter": filter_,
            "interval.startTime": rfc3339(now - (minutes or _WINDOW_MINUTES) * 60),
            "interval.endTime": rfc3339(now),
            **aggregation,
        }
        found = await self._ask(f"projects/{project}/timeSeries", "GET", params=asked)
        series = found.get("timeSeries")
        if not series:
            return _missing(missing, f"could not find stackdriver metric with filter {filter_}")
        return _value(series[0]["points"][0]["value"])

    async def queried(self, query: str, missing: float | None) -> float:
        """Return the newest point of the first series that a query (MQL) finds."""
        path = f"projects/{await self.project()}/timeSeries:query"
        found = await self._ask(path, "POST", json={"query": query, "pageSize": 1})
        series = found.get("timeSeriesData")
        if not series:
            return _missing(missing, f"could not find stackdriver metric with query {query}")
        return _value(series[0]["pointData"][0]["values"][0])

    async def project(self) -> str:
        """Return the project that is asked about."""
        self._project = self._project or await self._identity.project(self._http)
        return self._project

    async def _ask(self, path: str, method: str, **how: Any) -> dict[str, Any]:
        headers = await self._identity.headers(self._http)
        found = await get_json(self._http, f"{_API}/{path}", method=method, headers=headers, **how)
        return dict(found)


def _missing(value: float | None, why: str) -> float:
    if value is None:
        raise ScalerError(why)
    return value


def _value(typed: dict[str, Any]) -> float:
    for kind in ("doubleValue", "int64Value"):
        if kind in typed:
            return number(typed[kind])
    raise ScalerError(f"could not extract value from metric of type {', '.join(typed)}")


def _scaler(
    config: TriggerConfig,
    monitoring: Monitoring,
    what: str,
    target: float,
    activation: float,
    fetch: Callable[[], Awaitable[float]],
) -> Polled:
    return polled(
        config,
        what,
        target=target,
        activation=activation,
        fetch=fetch,
        closing=monitoring.close,
        doing="error getting metric",
        secrets=monitoring.secrets,
    )


@dataclass(frozen=True, slots=True)
class PubSub(Common):
    """Parameters of ``gcp-pubsub``."""

    size: int = param(
        "subscriptionSize",
        optional=True,
        deprecated="The 'subscriptionSize' setting is DEPRECATED and is removed in v2.20 - "
        "Use 'mode' and 'value' instead",
    )
    mode: str = param("mode", default="SubscriptionSize")
    target: float = param("value", default="10")
    activation: float = param("activationValue", default="0")
    aggregation: str = param("aggregation", optional=True)
    horizon: Seconds = param("timeHorizon", optional=True)
    missing: float | None = param("valueIfNull", optional=True)
    subscription: str = param("subscriptionName", order=_BOTH, optional=True)
    topic: str = param("topicName", order=_BOTH, optional=True)

    def check(self) -> None:
        """Refuse neither and both."""
        if bool(self.subscription) == bool(self.topic):
            raise ConfigError("exactly one of subscription or topic name must be given")

    def resource(self) -> tuple[str, str]:
        """Return the project, if it is named, and the name."""
        name = self.subscription or self.topic
        found = _RESOURCE.match(name)
        return (found[1], found[2].split("/")[0]) if found else ("", name)

    def query(self, project: str) -> str:
        """Return the query (MQL); raises ScalerError for names and aggregations that are none."""
        kind, (_, name) = "subscription" if self.subscription else "topic", self.resource()
        if name.lower().startswith("goog") or not _RESOURCE_NAME.fullmatch(name):
            raise ScalerError(f'invalid Pub/Sub resource name "{name}"')
        mode = "NumUndeliveredMessages" if self.mode == "SubscriptionSize" else self.mode
        snake = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", mode))
        seconds = int(self.horizon) or (300 if self.aggregation else 120)
        return (
            f"fetch pubsub_{kind} | metric 'pubsub.googleapis.com/{kind}/{snake.lower()}' | filter "
            f"(resource.project_id == '{project}' && resource.{kind}_id == '{name}') | within "
            f"{seconds}s{_aggregated(self.aggregation)}"
        )


def _aggregated(aggregation: str) -> str:
    """The part of a query that makes one value of a distribution."""
    if not aggregation:
        return ""
    percentile = aggregation.removeprefix("percentile")
    if percentile != aggregation:
        if not percentile.isdecimal() or int(percentile) > 100:
            raise ScalerError(f"invalid percentile value: {percentile}")
        call = f"percentile(value, {int(percentile)})"
    elif aggregation in _AGGREGATIONS:
        call = f"{aggregation}(value)"
    else:
        raise ScalerError(f"unsupported aggregation function: {aggregation}")
    return f" | align delta(3m) | every 3m | group_by [], {call}"


def make_pubsub(config: TriggerConfig, clock: Clock = wall_clock) -> Scaler:
    """Return the scaler of a trigger of ``gcp-pubsub``; raises ConfigError."""
    with parsing("PubSub"):
        with parsing("gcp pubsub"):
            settings = read_params(PubSub, config)
        monitoring = Monitoring(config, settings.resource()[0], clock)

    async def fetch() -> float:
        query = settings.query(await monitoring.project())
        return await monitoring.queried(query, settings.missing)

    what = f"gcp-ps-{settings.subscription or settings.topic}"
    return _scaler(config, monitoring, what, settings.target, settings.activation, fetch)


@dataclass(frozen=True, slots=True)
class CloudTasks(Common):
    """Parameters of ``gcp-cloudtasks``."""

    target: float = param("value", default="100")
    activation: float = param("activationValue", default="0")
    minutes: int = param("filterDuration", optional=True)
    queue: str = param("queueName")
    project: str = param("projectID")


def make_cloudtasks(config: TriggerConfig, clock: Clock = wall_clock) -> Scaler:
    """Return the scaler of a trigger of ``gcp-cloudtasks``; raises ConfigError."""
    with parsing("Cloud Tasks"):
        with parsing("Gcp cloud task"):
            settings = read_params(CloudTasks, config)
        monitoring = Monitoring(config, settings.project, clock)
    name = settings.queue.replace("\\", "\\\\").replace('"', '\\"')
    filter_ = (
        f'metric.type="cloudtasks.googleapis.com/queue/depth" AND resource.labels.queue_id="{name}"'
    )

    async def fetch() -> float:
        return await monitoring.listed(filter_, settings.minutes, {}, None)

    what = f"gcp-ct-{settings.queue}"
    return _scaler(config, monitoring, what, settings.target, settings.activation, fetch)


@dataclass(frozen=True, slots=True)
class Stackdriver(Common):
    """Parameters of ``gcp-stackdriver``."""

    project: str = param("projectId")
    filter: str = param("filter")
    target: float = param("targetValue", default="5")
    activation: float = param("activationTargetValue", default="0")
    missing: float | None = param("valueIfNull", optional=True)
    minutes: int = param("filterDuration", optional=True)
    period: int = param("alignmentPeriodSeconds", optional=True)
    aligner: str = param("alignmentAligner", optional=True)
    reducer: str = param("alignmentReducer", optional=True)

    def check(self) -> None:
        """Refuse a period that Cloud Monitoring does not have."""
        if self.period and self.period < 60:
            raise ConfigError("alignmentPeriodSeconds must be at least 60")

    def aggregation(self) -> dict[str, str]:
        """Return how points are brought together; raises ConfigError for what nobody knows."""
        if not self.period:
            return {}
        aligner, reducer = self.aligner.lower() or "none", self.reducer.lower() or "none"
        if aligner not in _ALIGNERS:
            raise ConfigError(f"unknown aligner: {self.aligner}")
        if reducer not in _REDUCERS:
            raise ConfigError(f"unknown reducer: {self.reducer}")
        return {
            "aggregation.alignmentPeriod": f"{self.period}s",
            "aggregation.perSeriesAligner": f"ALIGN_{aligner.upper()}",
            "aggregation.crossSeriesReducer": f"REDUCE_{reducer.upper()}",
        }


def make_stackdriver(config: TriggerConfig, clock: Clock = wall_clock) -> Scaler:
    """Return the scaler of a trigger of ``gcp-stackdriver``; raises ConfigError."""
    with parsing("Stackdriver"):
        with parsing("Stackdriver"):
            settings = read_params(Stackdriver, config)
        monitoring = Monitoring(config, settings.project, clock)
        aggregation = settings.aggregation()

    async def fetch() -> float:
        return await monitoring.listed(
            settings.filter, settings.minutes, aggregation, settings.missing
        )

    what = f"gcp-stackdriver-{settings.project}"
    return _scaler(config, monitoring, what, settings.target, settings.activation, fetch)
