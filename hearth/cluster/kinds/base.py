"""From the rules of a built-in kind to the ``Kind`` that the API server serves. Pure.

``Rules`` are what a module of this package writes down for its kinds; ``define`` adds what all of
them share: schema, canonical form before defaults, keeping status apart from the rest.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.cluster.model import typetable
from hearth.cluster.model.fielderrors import FieldError, invalid
from hearth.cluster.model.kind import Kind, Object, ScalePaths, Strategy, Table
from hearth.cluster.model.objectmeta import (
    STANDARD_FINALIZERS,
    validate_object_meta,
    validate_object_meta_update,
)
from hearth.cluster.model.roundtrip import round_trip
from hearth.cluster.model.tables import plain_table

Validate = Callable[[Object], Iterable[FieldError]]
ValidateUpdate = Callable[[Object, Object], Iterable[FieldError]]
Field = Callable[[Object], str]

_GROUPS = {
    "core": "",
    "rbac": "rbac.authorization.k8s.io",
    "discovery": "discovery.k8s.io",
    "coordination": "coordination.k8s.io",
    "networking": "networking.k8s.io",
    "storage": "storage.k8s.io",
    "scheduling": "scheduling.k8s.io",
    "events": "events.k8s.io",
    "node": "node.k8s.io",
    "admissionregistration": "admissionregistration.k8s.io",
    "apiextensions": "apiextensions.k8s.io",
    "metrics": "metrics.k8s.io",
    "apiregistration": "apiregistration.k8s.io",
}


def _nothing(obj: Object) -> None:
    return None


def _no_preparation(new: Object, old: Object | None) -> None:
    return None


def _valid(obj: Object) -> Iterable[FieldError]:
    return ()


def _valid_update(new: Object, old: Object) -> Iterable[FieldError]:
    return ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What is particular to a kind.

    ``validate`` also runs on update: before ``update``, or after it with ``update_first``.
    ``metadata_again`` belongs to kinds whose update check repeats the whole check of metadata;
    it shows in the number of causes.
    """

    default: Callable[[Object], None] = _nothing
    prepare: Callable[[Object, Object | None], None] = _no_preparation
    validate: Validate = _valid
    update: ValidateUpdate = _valid_update
    status: ValidateUpdate = _valid_update
    name: Callable[[str], list[str]] | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    warnings: Callable[[Object, Object | None], list[str]] | None = None
    generation: bool = False
    unconditional: bool = True
    update_first: bool = False
    metadata_again: bool = False


def metadata_name(obj: Object) -> str:
    """The field ``metadata.name``, selectable in every kind."""
    return str(obj["metadata"].get("name", ""))


def metadata_namespace(obj: Object) -> str:
    """The field ``metadata.namespace``, selectable in namespaced kinds."""
    return str(obj["metadata"].get("namespace", ""))


def text_at(*path: str, default: str = "") -> Field:
    """A selectable field: the text at a path, empty where it is not set."""

    def read(obj: Object) -> str:
        value: Any = obj
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return default if value is None else _text(value)

    return read


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def define(
    package: typetable.Package | str,
    kind: str,
    plural: str,
    *,
    rules: Rules | None = None,
    table: Table | None = None,
    namespaced: bool = True,
    short: Sequence[str] = (),
    categories: Sequence[str] = (),
    subresources: Iterable[str] = (),
    scale: ScalePaths | None = None,
    **more: Any,
) -> Kind:
    """The kind of the struct with this name in the types of a package (``apps/v1``)."""
    if isinstance(package, str):
        package = typetable.package(package)
    group, _, version = package.path.partition("/")
    struct = package.struct(kind)
    return Kind(
        group=_GROUPS.get(group, group),
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=namespaced,
        schema=struct.schema,
        table=table or plain_table(),
        strategy=_strategy(rules or Rules(), struct, namespaced),
        short_names=tuple(short),
        categories=tuple(categories),
        subresources=frozenset(subresources),
        scale=scale,
        **more,
    )


def _strategy(rules: Rules, struct: typetable.Struct, namespaced: bool) -> Strategy:
    def default(obj: Object, known: Object | None = None) -> None:
        round_trip(obj, struct, known)
        rules.default(obj)

    def validate(obj: Object) -> list[FieldError]:
        return [*_finalizer_errors(obj, struct), *rules.validate(obj)]

    def validate_update(new: Object, old: Object) -> list[FieldError]:
        names = list(_finalizer_errors(new, struct))
        errors = [*validate_object_meta_update(new, old), *names]
        again: list[FieldError] = []
        if rules.metadata_again:
            name_fn = rules.name
            again += validate_object_meta(new, namespaced=namespaced, name_fn=name_fn, known=old)
            again += names
        if rules.update_first:
            return [*errors, *rules.update(new, old), *again, *rules.validate(new)]
        return [*errors, *again, *rules.validate(new), *rules.update(new, old)]

    def validate_status(new: Object, old: Object) -> list[FieldError]:
        errors = [*validate_object_meta_update(new, old), *_finalizer_errors(new, struct)]
        return [*errors, *rules.status(new, old)]

    fields = {"metadata.name": metadata_name, **rules.fields}
    if namespaced:
        fields["metadata.namespace"] = metadata_namespace
    return Strategy(
        default=default,
        prepare=rules.prepare,
        validate=validate,
        validate_update=validate_update,
        validate_status=validate_status,
        validate_name=rules.name,
        generation=rules.generation,
        allow_unconditional_update=rules.unconditional,
        selectable_fields=fields,
        warnings=rules.warnings,
    )


_FREE_FINALIZERS = frozenset({"apiextensions/v1", "admissionregistration/v1"})


def _finalizer_errors(obj: Object, struct: typetable.Struct) -> Iterator[FieldError]:
    """Finalizers of most built-in kinds have a domain; custom kinds only get a warning."""
    if struct.package.path in _FREE_FINALIZERS:
        return
    for i, finalizer in enumerate(obj["metadata"].get("finalizers") or ()):
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(f"metadata.finalizers[{i}]", finalizer, detail)


def child(obj: Object, key: str) -> Object:
    """The object under a key, put there empty when it is missing or null."""
    value = obj.get(key)
    if not isinstance(value, dict):
        value = obj[key] = {}
    return value


def copied(value: Any) -> Any:
    """A deep copy, which a rule may change."""
    return copy.deepcopy(value)
