"""EventType: a type of events that somebody may subscribe to, for a catalogue.

Knative stores it in an older version, which knows a type's four required attributes and a schema:
reading it back gives those in this order, without values for ``specversion`` and ``id``. So it is
here, but for other attributes, which Knative loses and we keep.

The older versions, v1beta2 and v1beta1, have fields for those attributes. Nothing converts between
versions of a custom resource here (strategy None), so what is written in an older one has both: the
fields that came, and the attributes that follow from them, by which everything goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from eventing.api.definitions import AGE, READY, Look, define
from eventing.api.schemachecks import SCHEMA_ATTRIBUTE, is_inline
from eventing.api.settings import Settings
from hearth.knative.admission.kinds import Change, Kind
from hearth.knative.duck import KReference, Status
from hearth.knative.fielderrors import Errors, FieldError, missing, via
from hearth.knative.resources import EVENTTYPES
from hearth.kube.crdgen import Version
from hearth.kube.models import Kept, Model, Required

_BROKERS = "eventing.knative.dev/v1"
_FIELDS = {"type": "type", "source": "source", SCHEMA_ATTRIBUTE: "schema_data"}
"""Attributes, and the fields that older versions have for them."""
_OLD = (
    "eventing.knative.dev/v1beta1 EventType is deprecated; see "
    "https://knative.dev/docs/eventing/event-registry/ for instructions to migrate to "
    "eventing.knative.dev/v1beta2 EventType"
)
_WITHOUT_VALUE = ("specversion", "id")
_WITH_VALUE = ("type", "source")


class AttributeDefinition(Model):
    """One attribute of events of a type."""

    go_type: ClassVar[str] = "v1beta3.EventAttributeDefinition"

    name: Annotated[Kept[str], Required()] = ""
    """Name of the attribute."""
    required: Kept[bool] = False
    """Whether all events have it."""
    value: str = ""
    """Its value, which may hold variables in braces."""


class EventTypeSpec(Model):
    """What events of the type have, and where they are."""

    go_type: ClassVar[str] = "v1beta3.EventTypeSpec"

    reference: KReference | None = None
    """Where the events are: a Broker, for example."""
    description: str = ""
    """What the events are."""
    attributes: Kept[list[AttributeDefinition]] = Field(default_factory=list)
    """The attributes."""
    type: str = ""
    """The attribute type, of EventTypes that were written as v1beta2 or v1beta1."""
    source: str = ""
    """The attribute source, of those."""
    schema_: Annotated[str, Field(alias="schema")] = ""
    """Where the schema of the data is, of those."""
    schema_data: str = ""
    """The schema of the data, of those."""
    broker: str = ""
    """The Broker where the events are, of those that have no reference."""


class EventTypeStatus(Status):
    """What has become of an EventType; there from the beginning, as after Knative's conversion."""

    schema_extra: ClassVar[Mapping[str, Any]] = {"default": {}}


def _default(change: Change[EventTypeSpec, Settings]) -> None:
    new, spec = change.new, change.new.spec
    reference = spec.reference
    if reference is not None and not reference.namespace:
        reference = reference.model_copy(update={"namespace": new.namespace})
    told: dict[str, object] = {"reference": reference, "attributes": _in_order(spec.attributes)}
    if spec.type:  # it was written in an older version, whose fields say the same
        values = {each.name: each.value for each in spec.attributes}
        told |= {field: values.get(name, "") for name, field in _FIELDS.items()}
        told["schema_"] = ""
    new.spec = spec.model_copy(update=told)


def _default_older(change: Change[EventTypeSpec, Settings]) -> None:
    """The attributes by the older versions' fields, as Knative converts them."""
    spec = change.new.spec
    told: dict[str, object] = {"attributes": _attributes_of(spec)}
    if spec.reference is None and spec.broker:
        told["reference"] = KReference(kind="Broker", name=spec.broker, api_version=_BROKERS)
    change.new.spec = spec.model_copy(update=told)
    _default(change)
    # The fields stay as they came.
    kept = {field: getattr(spec, field) for field in ("schema_", "schema_data")}
    change.new.spec = change.new.spec.model_copy(update=kept)


def _attributes_of(spec: EventTypeSpec) -> list[AttributeDefinition]:
    known = {each.name: each.value for each in spec.attributes}
    values = {name: getattr(spec, field) for name, field in _FIELDS.items()}
    values[SCHEMA_ATTRIBUTE] = spec.schema_data or spec.schema_
    # One that was written as v1beta3 has no such fields.
    values = {name: value or known.get(name, "") for name, value in values.items()}
    others = [each for each in spec.attributes if each.name not in values]
    given = [AttributeDefinition(name=name, value=value) for name, value in values.items() if value]
    return given + others


def _in_order(given: list[AttributeDefinition]) -> list[AttributeDefinition]:
    """The four required attributes first, then all others as they are."""
    values = {each.name: each.value for each in given}
    first = [AttributeDefinition(name=name, required=True) for name in _WITHOUT_VALUE]
    first += [
        AttributeDefinition(name=name, required=True, value=values.get(name, ""))
        for name in _WITH_VALUE
    ]
    others = [each for each in given if each.name not in (*_WITHOUT_VALUE, *_WITH_VALUE)]
    return first + others


def _validate(change: Change[EventTypeSpec, Settings]) -> Errors:
    values = {each.name: each.value for each in change.new.spec.attributes}
    errors = [] if values.get("type") else via([missing("type")], "spec")
    text = values.get(SCHEMA_ATTRIBUTE, "")
    return errors + _check_schema(text) if is_inline(text) else errors


def _check_schema(text: str) -> Errors:
    """Complain about a JSON Schema that no event would be checked by."""
    from eventing.schemas.checker import problem_of_schema

    problem = problem_of_schema(text)
    if not problem:
        return []
    message = f"invalid JSON Schema: {problem}"
    return [FieldError(message, (f"spec.attributes[{SCHEMA_ATTRIBUTE}].value",))]


def _column(name: str, path: str) -> tuple[str, str, str]:
    return name, "string", path


_LOOK = Look(
    "A type of events that can be subscribed to.",
    columns=(
        _column("Type", ".spec.attributes[?(@.name=='type')].value"),
        _column("Source", ".spec.attributes[?(@.name=='source')].value"),
        _column("Reference Name", ".spec.reference.name"),
        _column("Reference Kind", ".spec.reference.kind"),
        _column("Description", ".spec.description"),
        *READY,
        AGE,
    ),
)
_NEWEST = define(
    EVENTTYPES, EventTypeSpec, EventTypeStatus, _LOOK, default=_default, validate=_validate
)


def _older(version: str, deprecation: str = "") -> tuple[Kind[Any, Settings], Version]:
    [newest] = _NEWEST.crd.versions
    kind = replace(
        _NEWEST.kind, resource=replace(EVENTTYPES, version=version), default=_default_older
    )
    return kind, replace(newest, name=version, storage=False, deprecation=deprecation)


_V1BETA2, _V1BETA1 = _older("v1beta2"), _older("v1beta1", _OLD)
DEFINITION = replace(
    _NEWEST,
    crd=replace(_NEWEST.crd, versions=(*_NEWEST.crd.versions, _V1BETA2[1], _V1BETA1[1])),
    older=(_V1BETA2[0], _V1BETA1[0]),
)
