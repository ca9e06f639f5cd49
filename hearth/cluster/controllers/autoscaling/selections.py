"""Which autoscalers select which pods: two of one pod would undo each other's work. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hearth.kube import meta
from hearth.kube.meta import Key, Object
from hearth.kube.selectors import LabelSelector

_Place = tuple[str, str, str]
"""Namespace, label, value."""


class Selections:
    """The selectors of autoscalers, filed under one label that their pods must have."""

    def __init__(self) -> None:
        self._places: dict[Key, _Place] = {}
        self._filed: dict[_Place, dict[Key, LabelSelector]] = {}

    def put(self, key: Key, selector: LabelSelector) -> None:
        """Takes the selector of an autoscaler."""
        if (known := self._places.get(key)) and self._filed[known][key] == selector:
            return
        self.drop(key)
        place = self._places[key] = (key[0], *required_label(selector))
        self._filed.setdefault(place, {})[key] = selector

    def drop(self, key: Key) -> None:
        """Forgets an autoscaler."""
        place = self._places.pop(key, None)
        if place is not None:
            filed = self._filed[place]
            del filed[key]
            if not filed:
                del self._filed[place]

    def of(self, namespace: str, pods: Iterable[Object]) -> Sequence[Key]:
        """The autoscalers that select any of these pods."""
        return sorted({key for pod in pods for key in self._of(namespace, meta.labels(pod))})

    def _of(self, namespace: str, labels: Mapping[str, str]) -> Iterable[Key]:
        for label in (("", ""), *labels.items()):
            for key, selector in self._filed.get((namespace, *label), {}).items():
                if selector.matches(labels):
                    yield key


def required_label(selector: LabelSelector) -> tuple[str, str]:
    """A label and value that is required; empty where none is."""
    for each in selector.requirements:
        if each.operator == "in" and len(each.values) == 1:
            return each.key, next(iter(each.values))
    return "", ""
