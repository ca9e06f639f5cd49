"""Tables of custom resources: ``additionalPrinterColumns`` as cells. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hearth.cluster.crd import jsonpath
from hearth.cluster.model.kind import Column, Object, Table
from hearth.cluster.model.roundtrip import parse_time
from hearth.cluster.model.tables import human_duration, plain_table

Cell = Callable[[Object, float], Any]

_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def make_table(columns: Sequence[Mapping[str, Any]]) -> Table:
    """The table of a version; a name and an age when it declares no columns."""
    name = plain_table().columns[0]
    declared, cells = _readable(columns if columns else [_AGE])

    def row(obj: Object, now: float) -> list[Any]:
        return [obj["metadata"].get("name", ""), *(cell(obj, now) for cell in cells)]

    return Table((name, *map(_column, declared)), row)


def _readable(
    columns: Sequence[Mapping[str, Any]],
) -> tuple[Sequence[Mapping[str, Any]], list[Cell]]:
    """The columns up to the first whose path cannot be read, as kube-apiserver shows them."""
    cells: list[Cell] = []
    for column in columns:
        try:
            cells.append(_cell(column))
        except jsonpath.JSONPathError:
            break
    return columns[: len(cells)], cells


def _column(declared: Mapping[str, Any]) -> Column:
    path = declared.get("jsonPath", "")
    if declared is _AGE:
        described = plain_table().columns[-1].description
    else:
        described = declared.get("description") or (
            f"Custom resource definition column (in JSONPath format): {path}"
        )
    return Column(
        declared["name"],
        type=declared["type"],
        format=declared.get("format", ""),
        description=described,
        priority=declared.get("priority", 0),
    )


def _cell(declared: Mapping[str, Any]) -> Cell:
    path = jsonpath.parse(declared["jsonPath"])
    kind = declared["type"]

    def cell(obj: Object, now: float) -> Any:
        value = path.first(obj)
        return None if value is None else _convert(kind, value, now)

    return cell


def _convert(kind: str, value: Any, now: float) -> Any:
    """A value as the column's type; None where it does not fit."""
    if kind == "string":
        return jsonpath.text_of(value)
    if kind == "date":
        return _age(value, now)
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if kind == "integer" else value


def _age(value: Any, now: float) -> str | None:
    if not isinstance(value, str):
        return None
    moment = parse_time(value)
    return "<invalid>" if moment is None else human_duration(now - moment.timestamp())
