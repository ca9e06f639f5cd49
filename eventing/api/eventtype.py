"""EventType: a type of events that somebody may subscribe to, for a catalogue.

Knative stores it in an older version, which knows a type's four required attributes and a schema:
reading it back gives those in this order, without values for ``specversion`` and ``id``. So it is
here, but for other attributes, which Knative loses and we keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from eventing.api.definitions import AGE, READY, Look, define
from eventing.api.schemachecks import SCHEMA_ATTRIBUTE, is_inline
from eventing.api.settings import Settings
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import KReference, Status
from hearth.knative.fielderrors import Errors, FieldError, missing, via
from hearth.knative.resources import EVENTTYPES
from hearth.kube.models import Kept, Model, Required

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


class EventTypeStatus(Status):
    """What has become of an EventType; there from the beginning, as after Knative's conversion."""

    schema_extra: ClassVar[Mapping[str, Any]] = {"default": {}}


def _default(change: Change[EventTypeSpec, Settings]) -> None:
    new, spec = change.new, change.new.spec
    reference = spec.reference
    if reference is not None and not reference.namespace:
        reference = reference.model_copy(update={"namespace": new.namespace})
    new.spec = spec.model_copy(
        update={"reference": reference, "attributes": _in_order(spec.attributes)}
    )


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


DEFINITION = define(
    EVENTTYPES,
    EventTypeSpec,
    EventTypeStatus,
    Look(
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
    ),
    default=_default,
    validate=_validate,
)
