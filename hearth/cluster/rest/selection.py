"""Which objects a list or watch is about: label selector, field selector, namespace, name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hearth.cluster.model import status
from hearth.cluster.model.kind import Kind
from hearth.cluster.model.objects import Entry, Object
from hearth.cluster.model.served import Served
from hearth.kube import selectors
from hearth.kube.selectors import FieldClause, LabelSelector

_KEY_FIELDS = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True, slots=True)
class Selection:
    """A test for entries; reads an object's bytes only where a field selector needs it."""

    served: Served
    labels: LabelSelector
    key_clauses: tuple[FieldClause, ...]
    clauses: tuple[FieldClause, ...]
    getters: Mapping[str, Callable[[Object], str]]
    namespace: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether every object of the resource is selected, in whatever namespace."""
        return not (self.labels.requirements or self.key_clauses or self.clauses)

    def matches(self, entry: Entry) -> bool:
        """Whether an object is selected."""
        if self.namespace and entry.key.namespace != self.namespace:
            return False
        if self.labels.requirements and not self.labels.matches(entry.labels):
            return False
        if not all(_key_matches(clause, entry) for clause in self.key_clauses):
            return False
        return not self.clauses or selectors.matches_fields(
            self.clauses, entry.parse(), self.getters
        )


def _key_matches(clause: FieldClause, entry: Entry) -> bool:
    value = entry.key.name if clause.field == "metadata.name" else entry.key.namespace
    return (value == clause.value) is clause.equal


def select(
    served: Served, label_selector: str, field_selector: str, *, namespace: str, name: str = ""
) -> Selection:
    """Reads the selectors of a request; 400 for what they may not say."""
    try:
        labels = selectors.parse_label_selector(label_selector)
        clauses = selectors.parse_field_selector(field_selector)
    except ValueError as error:
        raise status.bad_request(str(error)) from None
    if name:
        clauses = (*clauses, FieldClause("metadata.name", name))
    getters = served.kind.strategy.selectable_fields
    for clause in clauses:
        if clause.field not in _KEY_FIELDS and clause.field not in getters:
            raise status.bad_request(_unknown_field(served.kind, clause.field))
    return Selection(
        served=served,
        labels=labels,
        key_clauses=tuple(c for c in clauses if c.field in _KEY_FIELDS),
        clauses=tuple(c for c in clauses if c.field not in _KEY_FIELDS),
        getters=getters,
        namespace=namespace,
    )


def _unknown_field(kind: Kind, field: str) -> str:
    """Kinds with fields of their own complain in other words than the rest."""
    if kind.custom or kind.strategy.selectable_fields.keys() - set(_KEY_FIELDS):
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'
