"""A selector of one Prometheus metric: ``http_requests_total{job="api"}``. Pure.

Only equality is looked at, as in KEDA's metrics-api scaler, whatever operator is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SELECTOR = re.compile(rf"\s*(?P<name>{_NAME})?\s*(?:\{{(?P<labels>.*)\}})?\s*", re.DOTALL)
_LABEL = re.compile(
    r"\s*(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)\s*"
    r"(?P<quote>[\"'`])(?P<value>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\s*(?:,|$)",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric's name, and the values that its labels must have."""

    name: str
    labels: Mapping[str, str]


def parse_selector(text: str) -> Selector:
    """Read a selector. Raises ValueError for what is none."""
    found = _SELECTOR.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no selector of a metric")
    labels, rest = {}, found["labels"] or ""
    while rest.strip():
        label = _LABEL.match(rest)
        if label is None:
            raise ValueError(f"{text!r} is no selector of a metric")
        value = label["value"]
        if label["quote"] != "`":
            value = re.sub(r"\\(.)", lambda each: _ESCAPES.get(each[1], each[1]), value)
        labels[label["name"]] = value
        rest = rest[label.end() :]
    name = found["name"] or labels.pop("__name__", "")
    if not name:
        raise ValueError(f"{text!r} names no metric")
    return Selector(name, labels)
