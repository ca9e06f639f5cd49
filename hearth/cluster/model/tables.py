"""Building blocks of ``kubectl get`` tables: columns from ``columns.txt`` and common cells. Pure.

``columns.txt`` lists, for each kind, the priority, type and name of every column and what the API
says of it; clients see these texts, so they are those of Kubernetes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from hearth.cluster.model.kind import Column, Object, Table
from hearth.cluster.model.roundtrip import parse_time
from hearth.kube.selectors import selector_text

Cells = Callable[[Object, float], Sequence[Any]]
NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"


@functools.cache
def _columns() -> dict[str, tuple[Column, ...]]:
    text = files(__package__).joinpath("columns.txt").read_text(encoding="utf-8")
    shared, *blocks = text.strip().split("\n\n")
    texts = dict(line.split(" = ", 1) for line in shared.splitlines())
    kinds = (block.splitlines() for block in blocks)
    return {name: tuple(_column(line, texts) for line in lines) for name, *lines in kinds}


def _column(line: str, texts: Mapping[str, str]) -> Column:
    head, _, description = line.partition(" = ")
    priority, column_type, name = head.split(" ", 2)
    return Column(
        name,
        type=column_type,
        format="name" if name == "Name" else "",
        description=json.loads('"' + texts.get(description, description).replace('"', '\\"') + '"'),
        priority=int(priority),
    )


def table(kind: str, cells: Cells) -> Table:
    """The table of a built-in kind: its columns are those of ``columns.txt``."""
    return Table(_columns()[kind], cells)


def plain_table() -> Table:
    """Name and creation time, for kinds without a table of their own."""
    name, *_, age = _columns()["ConfigMap"]
    created = Column("Created At", type="date", description=age.description)
    return Table((name, created), lambda obj, now: (_name(obj), _created(obj)))


def _name(obj: Object) -> str:
    return str(obj["metadata"].get("name", ""))


def _created(obj: Object) -> str:
    return str(obj["metadata"].get("creationTimestamp", ""))


def name(obj: Object) -> str:
    """The name of an object, the first cell of most rows."""
    return _name(obj)


def age(obj: Object, now: float) -> str:
    """The time since an object was created, as ``kubectl`` shows it."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(timestamp: str | None, now: float) -> str:
    """The time since a timestamp (RFC 3339), ``<unknown>`` without one."""
    moment = parse_time(timestamp) if timestamp else None
    return UNKNOWN if moment is None else human_duration(now - moment.timestamp())


def seconds_between(start: str, end: str) -> float:
    """Seconds from one timestamp (RFC 3339) to another; 0 where one cannot be read."""
    first, last = parse_time(start), parse_time(end)
    return 0.0 if first is None or last is None else (last - first).total_seconds()


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
_SCALES = (
    # up to (seconds), first unit, second unit or None
    (2 * _MINUTE, (1, "s"), None),
    (10 * _MINUTE, (_MINUTE, "m"), (1, "s")),
    (3 * _HOUR, (_MINUTE, "m"), None),
    (8 * _HOUR, (_HOUR, "h"), (_MINUTE, "m")),
    (48 * _HOUR, (_HOUR, "h"), None),
    (8 * _DAY, (_DAY, "d"), (_HOUR, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
)


def human_duration(seconds: float) -> str:
    """A duration in about three digits, as ``duration.HumanDuration`` of apimachinery."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    for limit, (large, unit), small in _SCALES:
        if whole < limit:
            rest = whole % large // small[0] if small else 0
            tail = f"{rest}{small[1]}" if small and rest else ""
            return f"{whole // large}{unit}{tail}"
    return f"{whole // _YEAR}y"


def containers(spec: Mapping[str, Any]) -> tuple[str, str]:
    """Names and images of a pod spec's containers."""
    items = spec.get("containers") or []
    names = ",".join(c.get("name", "") for c in items)
    return names, ",".join(c.get("image", "") for c in items)


def template_spec(obj: Object) -> Object:
    """The pod spec in the template of a workload; empty where there is none."""
    spec: Object = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
    return spec


def label_selector(selector: Mapping[str, Any] | None) -> str:
    """A label selector as text, ``<none>`` for an empty one."""
    try:
        return selector_text(selector) or NONE
    except KeyError:  # an operator that no selector has
        return "<error>"


def labels_text(labels: Mapping[str, str] | None) -> str:
    """Labels as ``key=value`` in order of keys, ``<none>`` for none."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else NONE


def some_of(items: Iterable[str], limit: int, *, total: int | None = None) -> str:
    """The first items, and how many more there are."""
    every = list(items)
    text = ",".join(every[:limit])
    count = len(every) if total is None else total
    return f"{text} + {count - limit} more..." if len(every) > limit else text
