"""What the API server knows of one kind, built in or custom.

Everything above (request handling) works on this one description, so a custom resource and a
built-in kind take the same path. Built-in kinds come from ``kinds``, custom ones from ``crd``.

A schema is an OpenAPI v3 schema as a plain dictionary, with Kubernetes' extensions
(``x-kubernetes-list-type``, ``x-kubernetes-list-map-keys``, ``x-kubernetes-map-type``,
``x-kubernetes-patch-strategy``, ``x-kubernetes-patch-merge-key``, ``x-kubernetes-int-or-string``,
``x-kubernetes-preserve-unknown-fields``, ``x-kubernetes-embedded-resource``). References between
schemas are resolved: nested dictionaries are shared Python objects and must never be changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hearth.cluster.model.fielderrors import FieldError

Object = dict[str, Any]
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a Table (``meta.k8s.io/v1``); priority 0 is shown without ``-o wide``."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """How a kind is printed: its columns and a function from an object to its cells."""

    columns: tuple[Column, ...]
    cells: Callable[[Object, float], Sequence[Any]]  # (object, now in Unix seconds) -> cells


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """JSON paths (``.spec.replicas``) behind a scale subresource."""

    spec_replicas: str
    status_replicas: str
    label_selector: str | None = None


def _same(obj: Object, known: Object | None = None) -> None:
    return None


def _no_errors(obj: Object) -> list[FieldError]:
    return []


def _no_update_errors(new: Object, old: Object) -> list[FieldError]:
    return []


def _no_change(new: Object, old: Object | None) -> None:
    return None


class Default(Protocol):
    """Sets defaults in an object; what is exactly so in ``known``, which is stored, has them."""

    def __call__(self, obj: Object, known: Object | None = None) -> None:
        """Change the object."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """The rules of a kind as pure functions. ``default`` and ``prepare`` change the object given.

    ``prepare(new, old)`` runs before validation on create (``old`` is None) and update: it fills
    what the server itself decides and keeps what a client may not change (status on the main
    resource is handled by the caller). ``generation`` says whether the kind counts spec changes.
    """

    default: Default = _same
    default_again: Default | None = None  # after a webhook's change; None: default
    prepare: Callable[[Object, Object | None], None] = _no_change
    validate: Callable[[Object], list[FieldError]] = _no_errors
    validate_update: Callable[[Object, Object], list[FieldError]] = _no_update_errors
    validate_status: Callable[[Object, Object], list[FieldError]] = _no_update_errors
    validate_name: Callable[[str], list[str]] | None = None  # messages; None: DNS-1123 subdomain
    generation: bool = True
    allow_unconditional_update: bool = True  # PUT without resourceVersion
    # ``warnings(new, old)``: what a client is told; ``old`` is None on create.
    selectable_fields: Mapping[str, Callable[[Object], str]] = field(default_factory=dict)
    warnings: Callable[[Object, Object | None], list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One served version of one kind."""

    group: str  # "" for core
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    schema: Schema
    table: Table
    strategy: Strategy = field(default_factory=Strategy)
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = (
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
    )  # fmt: skip
    subresources: frozenset[str] = frozenset()  # "status", "scale", "log", "binding", ...
    scale: ScalePaths | None = None
    custom: bool = False
    storage_version: str = ""  # version objects are stored in; "" means this one
    grace_period: Callable[[Object], int] | None = None  # graceful deletion (pods): seconds
    # Between versions that differ in more than their name; an object is copied, never changed.
    to_storage: Callable[[Object], Object] | None = None
    from_storage: Callable[[Object], Object] | None = None
    view_of: str = ""  # the group resource whose objects it shows; "" where it has objects

    @property
    def api_version(self) -> str:
        """``apps/v1``; the version alone in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """``deployments.apps``; the plural alone in the core group. Names a kind in errors."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """``Widget.golden.example.com``; how a kind is named in messages of Invalid errors."""
        return f"{self.kind}.{self.group}" if self.group else self.kind
