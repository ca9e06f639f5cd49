"""kubernetes-resource: a number in a ConfigMap or Secret, as it is or within JSON or YAML."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers.catalog import Shared, needed
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.paths import MISSING, by_dots, lookup
from hearth.keda.scalers.polled import Polled, parsing, polled
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig
from hearth.keda.scalers.values import yaml_document
from hearth.kube.quantity import parse_quantity
from hearth.kube.resources import CONFIGMAPS, SECRETS

_RESOURCES = {"ConfigMap": CONFIGMAPS, "Secret": SECRETS}
_LEADING = {
    "float64": re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII),
    "int64": re.compile(r"\s*([+-]?\d+)", re.ASCII),
}
"""What Go's Sscanf takes: a number with which the text begins."""


@dataclass(frozen=True)
class _Settings:
    kind: str = param("resourceKind", enum=("ConfigMap", "Secret"))
    name: str = param("resourceName")
    key: str = param("key")
    format: str = param("format", default="number", enum=("number", "json", "yaml"))
    location: str = param("valueLocation", optional=True)
    value_type: str = param("valueType", default="float64", enum=("float64", "int64", "quantity"))
    target: float = param("targetValue")
    activation: float = param("activationTargetValue", default="0")

    def check(self) -> None:
        if self.format == "number" and self.location:
            raise ConfigError("valueLocation is only supported with json or yaml format")
        if self.format in ("json", "yaml") and not self.location:
            raise ConfigError(f"valueLocation is required for {self.format} format")


def make(config: TriggerConfig, shared: Shared) -> Polled:
    """Return the scaler of a ``kubernetes-resource`` trigger. Raises ConfigError."""
    with parsing("kubernetes resource", "kubernetes resource"):
        settings = read_params(_Settings, config)
        if settings.target <= 0 and not config.as_metric_source:
            raise ConfigError("targetValue must be a float greater than 0")
    client = needed(shared)

    async def fetch() -> float:
        found = await client.get(_RESOURCES[settings.kind], settings.name, config.namespace)
        text = (found.get("data") or {}).get(settings.key)
        if text is None:
            place = f"{settings.kind} {config.namespace}/{settings.name}"
            raise ScalerError(f"key {settings.key} not found in {place}")
        if settings.kind == "Secret":
            text = base64.b64decode(text).decode(errors="replace")
        try:
            return _FORMATS[settings.format](text, settings.location, settings.value_type)
        except ValueError as error:
            raise ScalerError(str(error)) from None

    return polled(
        config,
        f"{settings.kind.lower()}-{settings.name}-{settings.key}",
        target=settings.target,
        activation=settings.activation,
        fetch=fetch,
        doing=f"error getting metric value from {settings.kind}",
    )


def _from_text(text: str, location: str, value_type: str) -> float:
    if value_type == "quantity":
        return _quantity(text)
    found = _LEADING[value_type].match(text)
    if found is None:
        raise ValueError(f"error parsing value as {value_type}: {text[:60]!r} is none")
    return float(found[1])


def _from_json(text: str, location: str, value_type: str) -> float:
    found = lookup(json.loads(text), location)
    if found is MISSING:
        raise ValueError(f"path {location} not found in json")
    if isinstance(found, str) and value_type != "int64":
        return _quantity(found)
    return float(int(_number(found))) if value_type == "int64" else _number(found)


def _from_yaml(text: str, location: str, value_type: str) -> float:
    document = yaml_document(text)
    try:
        found = by_dots(document if isinstance(document, dict) else {}, location)
    except ValueError:
        raise ValueError(f"path {location} not found in yaml") from None
    if isinstance(found, str):
        return _from_text(found, location, value_type.replace("int64", "float64"))
    return _number(found)


def _number(found: Any) -> float:
    if isinstance(found, int | float) and not isinstance(found, bool):
        return float(found)
    raise ValueError(
        "valueLocation must point to value of type number or a string representing a Quantity, "
        f"got: '{str(found)[:60]}'"
    )


def _quantity(text: str) -> float:
    try:
        return float(parse_quantity(text).amount)
    except ValueError as error:
        raise ValueError(f"error parsing value as quantity: {error}") from None


_FORMATS: dict[str, Callable[[str, str, str], float]] = {
    "number": _from_text,
    "json": _from_json,
    "yaml": _from_yaml,
}
