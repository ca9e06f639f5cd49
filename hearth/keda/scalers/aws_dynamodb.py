"""``aws-dynamodb``: how many items a query finds. Source: KEDA's ``aws_dynamodb_scaler.go``.

All pages of the query are counted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hearth.keda.scalers.aws import Client, Common
from hearth.keda.scalers.params import param, read_params
from hearth.keda.scalers.polled import parsing, polled
from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig

_KINDS = {"S": str, "N": str, "BOOL": bool, "B": str, "L": list, "M": dict}
_INVALID = "invalid expressionAttributeValues"


@dataclass(frozen=True, slots=True)
class Settings(Common):
    """Parameters of the trigger."""

    table: str = param("tableName")
    condition: str = param("keyConditionExpression")
    index: str = param("indexName", optional=True)
    target: int = param("targetValue", default="-1")
    activation: int = param("activationTargetValue", default="0")
    filter: str = param("filterExpression", optional=True)
    names: str = param("expressionAttributeNames")
    values: str = param("expressionAttributeValues")

    def query(self) -> dict[str, Any]:
        """Return what is asked; raises ConfigError for names and values that are not JSON."""
        said = {
            "TableName": self.table,
            "KeyConditionExpression": self.condition,
            "ExpressionAttributeNames": names_of(self.names),
            "ExpressionAttributeValues": values_of(self.values),
            "Select": "COUNT",
        }
        more = {"FilterExpression": self.filter, "IndexName": self.index}
        return said | {key: value for key, value in more.items() if value}


def names_of(text: str) -> dict[str, str]:
    """Return what names stand for."""
    before = "error parsing expressionAttributeNames: "
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{before}invalid expressionAttributeNames\n{error}") from None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ConfigError(f"{before}invalid expressionAttributeNames")
    if not found:
        raise ConfigError(f"{before}empty map")
    return found


def values_of(text: str) -> dict[str, Any]:
    """Return what values stand for, each written with its type: ``{":id": {"S": "a"}}``."""
    try:
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError(_INVALID)
        return {name: _value(each) for name, each in found.items()}
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"error parsing expressionAttributeValues: {error}") from None


def _value(said: Any) -> dict[str, Any]:
    if not isinstance(said, dict) or len(said) != 1:
        raise ValueError("unsupported data type for attribute value")
    (kind, value), *_ = said.items()
    if kind == "NULL":
        return {"NULL": True}
    if kind == "L" and isinstance(value, list):
        return {"L": [_value(each) for each in value]}
    if kind == "M" and isinstance(value, dict):
        return {"M": {name: _value(each) for name, each in value.items()}}
    if kind not in _KINDS:
        raise ValueError(f"unsupported data type for attribute value: {kind}")
    if not isinstance(value, _KINDS[kind]):
        raise ValueError(_INVALID)
    return {kind: value.encode() if isinstance(value, str) and kind == "B" else value}


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("DynamoDb"):
        with parsing("DynamoDb"):
            settings = read_params(Settings, config)
        query = settings.query()
        if settings.target == -1 and not config.as_metric_source:
            raise ConfigError("no targetValue given")
        client = Client("dynamodb", config, settings)

    async def fetch() -> float:
        count, start = 0, dict[str, Any]()
        while True:
            answer = await client.ask("query", **query, **start)
            count += int(answer["Count"])
            if not answer.get("LastEvaluatedKey"):
                return count
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    return polled(
        config,
        f"aws-dynamodb-{settings.table}",
        target=max(settings.target, 0),
        activation=settings.activation,
        fetch=fetch,
        closing=client.close,
        doing="error getting metric value",
        secrets=client.secrets,
    )
