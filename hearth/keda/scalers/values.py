"""One number out of an answer: JSON, XML, YAML or Prometheus' text, at a place in it. Pure.

Rules and messages of KEDA's metrics-api scaler. XML is read as the documentation promises (KEDA's
own reader refuses all of it): an element is a map of its children, of which those of one name are a
list, and its name is the path's first key.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import orjson
import yaml

from hearth.keda.scalers.paths import MISSING, by_dots, lookup
from hearth.keda.scalers.promselector import Selector, parse_selector
from hearth.kube.quantity import parse_quantity

_KINDS = {dict: "JSON", list: "JSON", bool: "True", type(None): "Null"}


def value_at(body: bytes, location: str, form: str) -> float:
    """Return the number. Raises ValueError that says what is there instead."""
    return _READERS[form](body, location)


def quantity(text: str, location: str) -> float:
    """Return the number that a Kubernetes quantity (``1500m``, ``2Ki``) stands for."""
    try:
        return float(parse_quantity(text).amount)
    except ValueError:
        raise ValueError(
            f'valueLocation "{location}" points to a string that is not parseable as a Quantity'
        ) from None


def yaml_document(body: bytes | str) -> Any:
    """Return a YAML document. Raises ValueError for what is none, nested too deeply included."""
    try:
        return yaml.safe_load(body)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"error parsing YAML: {_first_line(error)}") from None


def _from_json(body: bytes, location: str) -> float:
    try:
        found = lookup(orjson.loads(body), location)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the answer is no JSON: {error}") from None
    return _number(None if found is MISSING else found, location)


def _from_yaml(body: bytes, location: str) -> float:
    return _number(_at(yaml_document(body), location), location)


def _from_xml(body: bytes, location: str) -> float:
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise ValueError(f"the answer is no XML: {error}") from None
    return _number(_at({_local(root.tag): _plain(root)}, location), location)


def _at(document: Any, location: str) -> Any:
    if not isinstance(document, dict):
        raise ValueError("the document is no map")
    return by_dots(document, location)


def _plain(element: ElementTree.Element) -> Any:
    if not len(element):
        return (element.text or "").strip()
    children: dict[str, list[Any]] = {}
    for child in element:
        children.setdefault(_local(child.tag), []).append(_plain(child))
    return {name: each[0] if len(each) == 1 else each for name, each in children.items()}


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _number(found: Any, location: str) -> float:
    if isinstance(found, str):
        return quantity(found, location)
    if isinstance(found, int | float) and not isinstance(found, bool):
        return float(found)
    raise ValueError(
        f'valueLocation "{location}" must point to a numeric value or a string parseable as a '
        f"Quantity, got {_KINDS.get(type(found), type(found).__name__)}"
    )


def _from_prometheus(body: bytes, location: str) -> float:
    """The first sample of that name that has each label as it is asked for."""
    wanted = parse_selector(location)
    lines = (line.strip() for line in body.decode(errors="replace").splitlines())
    samples = [_sample(line) for line in lines if line.startswith(wanted.name)]
    named = [value for selector, value in samples if selector.name == wanted.name]
    if not named:
        raise ValueError(f"metric '{wanted.name}' not found")
    for selector, value in samples:
        labels = selector.labels.items()
        if selector.name == wanted.name and wanted.labels.items() <= labels:
            return value
    raise ValueError(f"value {location} not found")


def _sample(line: str) -> tuple[Selector, float]:
    """A line of Prometheus' text: name, labels, value and perhaps a time."""
    place = line.rfind("}") + 1 or len(line.split()[0])
    try:
        return parse_selector(line[:place]), float(line[place:].split()[0])
    except (ValueError, IndexError):
        raise ValueError(f"prometheus format parsing error: {line[:80]!r}") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


_READERS: dict[str, Callable[[bytes, str], float]] = {
    "json": _from_json,
    "yaml": _from_yaml,
    "xml": _from_xml,
    "prometheus": _from_prometheus,
}
