"""``aws-cloudwatch``: the newest value of a metric or expression of CloudWatch.

Source: KEDA's ``aws_cloudwatch_scaler.go``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hearth.keda.scalers.aws import Client, Common
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import need, number, parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, ScalerError, TriggerConfig
from hearth.kube.clock import wall_clock

_SIZES = ("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes")
_AMOUNTS = (*_SIZES, *(size.replace("bytes", "bits").replace("Bytes", "Bits") for size in _SIZES))
_UNITS = (
    *("Seconds", "Microseconds", "Milliseconds", *_AMOUNTS, "Percent", "Count"),
    *(f"{amount}/Second" for amount in _AMOUNTS),
    *("Count/Second", "None"),
)
_SHORT_PERIODS = (1, 5, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class Settings(Common):
    """Parameters of the trigger."""

    namespace: str = param("namespace", optional=True)
    metric: str = param("metricName", optional=True)
    dimensions: list[str] = param("dimensionName", optional=True, separator=";")
    dimension_values: list[str] = param("dimensionValue", optional=True, separator=";")
    expression: str = param("expression", optional=True)
    target: float = param("targetMetricValue")
    activation: float = param("activationTargetMetricValue", optional=True)
    least: float = param("minMetricValue")
    ignore_null: bool = param("ignoreNullValues", default="true")
    collection: int = param("metricCollectionTime", default="300")
    stat: str = param("metricStat", default="Average")
    unit: str = param("metricUnit", optional=True)
    period: int = param("metricStatPeriod", default="300")
    offset: int = param("metricEndTimeOffset", default="0")
    account: str = param("awsAccountId", optional=True)

    def check(self) -> None:
        """Refuse a metric that is not named in full, and times that CloudWatch does not have."""
        if not self.expression:
            self._check_metric()
        _check_period(self.period)
        if self.collection < 0 or self.collection % self.period:
            raise ConfigError(
                "metricCollectionTime must be greater than 0 and a multiple of "
                f"metricStatPeriod({self.period}), {self.collection} is given"
            )

    def _check_metric(self) -> None:
        needed = {
            "namespace": self.namespace,
            "metric name": self.metric,
            "dimension name": self.dimensions,
            "dimension value": self.dimension_values,
        }
        need(needed, "{} not given")
        if len(self.dimensions) != len(self.dimension_values):
            raise ConfigError("dimensionName and dimensionValue are not matching in size")
        if self.unit and self.unit not in _UNITS:
            raise ConfigError(f"metricUnit '{self.unit}' is not one of [{' '.join(_UNITS)}]")

    def request(self, now: float) -> dict[str, Any]:
        """Return what is asked: whole periods that end before now."""
        end = (now - self.offset) // self.period * self.period
        query = self._expression() if self.expression else self._statistic()
        account = {"AccountId": self.account} if self.account else {}
        return {
            "StartTime": datetime.fromtimestamp(end - self.collection, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
            "ScanBy": "TimestampDescending",
            "MetricDataQueries": [query | account],
        }

    def _expression(self) -> dict[str, Any]:
        return {"Id": "q1", "Expression": self.expression, "Period": self.period}

    def _statistic(self) -> dict[str, Any]:
        pairs = zip(self.dimensions, self.dimension_values, strict=True)
        metric = {
            "Namespace": self.namespace,
            "MetricName": self.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in pairs],
        }
        stat = {"Metric": metric, "Period": self.period, "Stat": self.stat}
        unit = {"Unit": self.unit} if self.unit else {}
        return {"Id": "c1", "MetricStat": stat | unit, "ReturnData": True}


def _check_period(period: int) -> None:
    if period < 1:
        raise ConfigError(
            f"metricStatPeriod can not be smaller than 1, however, {period} is provided"
        )
    if period <= 60 and period not in _SHORT_PERIODS:
        raise ConfigError(
            f"metricStatPeriod < 60 has to be one of [1, 5, 10, 30], however, {period} is provided"
        )
    if period > 60 and period % 60:
        raise ConfigError(
            f"metricStatPeriod >= 60 has to be a multiple of 60, however, {period} is provided"
        )


def value_of(results: list[dict[str, Any]], settings: Settings) -> float:
    """Return the newest value; without one the least value, if nothing may be missing an error."""
    if results and results[0].get("Values"):
        return number(results[0]["Values"][0])
    if results and not settings.ignore_null:
        raise ScalerError("empty metric data received, ignoreNullValues is false, returning error")
    return settings.least


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("cloudwatch"):
        with parsing("prometheus"):  # as KEDA has it
            settings = read_params(Settings, config)
        client = Client("cloudwatch", config, settings)

    async def fetch() -> float:
        answer = await client.ask("get_metric_data", **settings.request(wall_clock()))
        return value_of(answer.get("MetricDataResults", []), settings)

    return polled(
        config,
        "aws-cloudwatch",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        closing=client.close,
        doing="error getting metric value",
        secrets=client.secrets,
    )
