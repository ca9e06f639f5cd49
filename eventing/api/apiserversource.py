"""ApiServerSource: what happens to objects of the API, as events."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from eventing.api.definitions import AGE, READY, SINK, SOURCE, SOURCES, Look, define
from eventing.api.filters import validate_filters
from eventing.api.settings import Features, Settings
from eventing.api.shapes import SourceSpec, SourceStatus, SubscriptionsAPIFilter
from eventing.api.sources import check_group_version, check_source
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import LabelSelector
from hearth.knative.fielderrors import Errors, FieldError, invalid, missing, via
from hearth.knative.resources import APISERVERSOURCES
from hearth.kube.models import Kept, Model, Required

REFERENCE, RESOURCE = "Reference", "Resource"
_NEW_FILTERS = "new-apiserversource-filters"


class ApiVersionKind(Model):
    """A kind of objects."""

    go_type: ClassVar[str] = "v1.APIVersionKind"

    api_version: Kept[str] = ""
    """API version of the objects."""
    kind: Kept[str] = ""
    """Kind of the objects."""


class ApiVersionKindSelector(ApiVersionKind):
    """A kind of objects, those with certain labels."""

    go_type: ClassVar[str] = "v1.APIVersionKindSelector"

    selector: LabelSelector | None = None
    """Labels of the objects; all objects when left out."""


class ApiServerSourceSpec(SourceSpec):
    """Which objects to follow, and what to send."""

    go_type: ClassVar[str] = "v1.ApiServerSourceSpec"
    schema_extra: ClassVar[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}

    resources: Annotated[list[ApiVersionKindSelector], Required()] = Field(default_factory=list)
    """The kinds to follow."""
    owner: ApiVersionKind | None = None
    """Only objects that have an owner of this kind."""
    mode: str = ""
    """Reference sends who changed, Resource the whole object."""
    service_account_name: str = ""
    """The service account whose rights are used; default if left out."""
    namespace_selector: LabelSelector | None = None
    """Namespaces by their labels; the source's own when left out."""
    filters: list[SubscriptionsAPIFilter] = Field(default_factory=list)
    """Which events to send; needs a feature flag."""


class ApiServerSourceStatus(SourceStatus):
    """What has become of an ApiServerSource."""

    namespaces: Kept[list[str]] = Field(default_factory=list)
    """The namespaces that are followed."""


def _default(change: Change[ApiServerSourceSpec, Settings]) -> None:
    spec = change.new.spec
    change.new.spec = spec.model_copy(
        update={
            "mode": spec.mode or REFERENCE,
            "service_account_name": spec.service_account_name or "default",
        }
    )


def _validate(change: Change[ApiServerSourceSpec, Settings]) -> Errors:
    spec, features = change.new.spec, change.settings.features
    errors: Errors = []
    if spec.mode not in (REFERENCE, RESOURCE):
        errors.append(invalid(spec.mode, "mode"))
    if not spec.resources:
        errors.append(missing("resources"))
    for number, resource in enumerate(spec.resources):
        errors += via(_check_kind(resource), f"resources[{number}]")
    if spec.owner is not None:
        errors += via(_check_kind(spec.owner), "owner")
    errors += check_source(spec, features) + _check_filters(spec, features)
    return via(errors, "spec")


def _check_kind(given: ApiVersionKind) -> Errors:
    errors = check_group_version(given.api_version)
    return errors if given.kind.strip() else [*errors, missing("kind")]


def _check_filters(spec: ApiServerSourceSpec, features: Features) -> Errors:
    if features.is_enabled(_NEW_FILTERS):
        return via(validate_filters(spec.filters), "filters")
    # Without a path, as Knative's own, since it complains of no field.
    text = "Filters is not empty but the NewAPIServerFilters feature is disabled."
    return via([FieldError(text)], "filters") if spec.filters else []


DEFINITION = define(
    APISERVERSOURCES,
    ApiServerSourceSpec,
    ApiServerSourceStatus,
    Look(
        "Sends what happens to objects of the API.",
        columns=(SINK, AGE, *READY),
        labels=SOURCE,
        categories=SOURCES,
    ),
    default=_default,
    validate=_validate,
)
