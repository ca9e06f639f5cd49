"""Kinds that are views: nothing is stored of them, they are read off the objects of another kind.

A CustomResourceDefinition says so by two annotations: of which group resource its objects are
views, and a CEL expression of ``object``, one of those, whose value has the view's ``spec`` and
``status``. Names, labels and annotations are those of the object, which owns the view. They can be
got, listed and watched. Elsewhere the annotations mean nothing. Pure.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from hearth.cluster.cel.expressions import CelError, Expression
from hearth.cluster.model.kind import Object

OF = "view.hearth.dev/of"
AS = "view.hearth.dev/as"
VERBS = ("get", "list", "watch")


def view_of(definition: Object, kind: str) -> tuple[str, Callable[[Object], Object]] | None:
    """The resource that a definition's objects are views of, and how they are made; or none."""
    annotations: Mapping[str, str] = definition["metadata"].get("annotations") or {}
    if OF not in annotations:
        return None
    return annotations[OF], _View(kind, annotations.get(AS, ""))


class _View:
    """Makes views; the expression is compiled when the first one is asked for."""

    def __init__(self, kind: str, source: str) -> None:
        self._kind = kind
        self._source = source

    @cached_property
    def _expression(self) -> Expression:
        return Expression(self._source)

    def __call__(self, obj: Object) -> Object:
        shown: Object = {"apiVersion": "", "kind": self._kind, "metadata": self._metadata(obj)}
        try:
            told: Any = self._expression.evaluate({"object": obj})
        except CelError:  # of an object that says too little: there it is, with nothing to say
            return shown
        return {**shown, **told}

    def _metadata(self, obj: Object) -> Object:
        own = obj["metadata"]
        owner = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": own["name"],
            "uid": own["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        kept = ("resourceVersion", "name", "namespace", "labels", "annotations")
        return {
            **{field: own[field] for field in kept if field in own},
            "uid": str(uuid.uuid5(uuid.UUID(own["uid"]), self._kind)),
            "creationTimestamp": own["creationTimestamp"],
            "generation": 1,
            "ownerReferences": [owner],
        }
