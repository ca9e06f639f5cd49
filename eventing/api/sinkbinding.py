"""SinkBinding: workloads of any kind are told where to send their events."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from eventing.api.checks import default_destination
from eventing.api.definitions import AGE, READY, SINK, SOURCE, SOURCES, Look, define
from eventing.api.settings import Settings
from eventing.api.shapes import SourceSpec, SourceStatus
from eventing.api.sources import check_source, selector_problem
from hearth.knative.admission.kinds import Change
from hearth.knative.duck import LabelSelector
from hearth.knative.fielderrors import (
    Errors,
    invalid,
    missing,
    missing_one_of,
    multiple_one_of,
    via,
)
from hearth.knative.resources import SINKBINDINGS
from hearth.kube.models import Kept, Model
from hearth.kube.names import c_identifier_problems, dns1123_label_problems, qualified_name_problems


class Subject(Model):
    """The workloads: one by its name, or several by their labels."""

    go_type: ClassVar[str] = "tracker.Reference"

    api_version: str = ""
    """API version of the workloads."""
    kind: str = ""
    """Kind of the workloads: any that holds a pod template."""
    namespace: str = ""
    """Namespace of the workloads: that of the binding."""
    name: str = ""
    """Name of the workload."""
    selector: LabelSelector | None = None
    """Labels of the workloads."""


class SinkBindingSpec(SourceSpec):
    """Which workloads send where."""

    go_type: ClassVar[str] = "v1.SinkBindingSpec"

    subject: Kept[Subject] = Field(default_factory=Subject)
    """The workloads that are told."""


class SinkBindingStatus(SourceStatus):
    """What has become of a SinkBinding."""

    oidc_token_secret_name: str | None = None
    """The Secret with the token that workloads send with."""


def _default(change: Change[SinkBindingSpec, Settings]) -> None:
    new, spec = change.new, change.new.spec
    subject = spec.subject
    if not subject.namespace:
        subject = subject.model_copy(update={"namespace": new.namespace})
    sink = default_destination(spec.sink, new.namespace)
    new.spec = spec.model_copy(update={"subject": subject, "sink": sink})


def _validate(change: Change[SinkBindingSpec, Settings]) -> Errors:
    new, subject = change.new, change.new.spec.subject
    errors = via(_check_subject(subject), "subject")
    errors = via(errors + check_source(new.spec, change.settings.features), "spec")
    if subject.namespace and subject.namespace != new.namespace:
        errors.append(invalid(subject.namespace, "spec.subject.namespace"))
    return errors


def _check_subject(subject: Subject) -> Errors:
    errors = _check_names(subject)
    if subject.selector is not None and subject.name:
        return [*errors, multiple_one_of("selector", "name")]
    if subject.selector is not None:
        problem = selector_problem(subject.selector)
        return [*errors, invalid(problem, "selector")] if problem else errors
    if not subject.name:
        return [*errors, missing_one_of("selector", "name")]
    problems = dns1123_label_problems(subject.name)
    return [*errors, invalid(", ".join(problems), "name")] if problems else errors


def _check_names(subject: Subject) -> Errors:
    errors: Errors = []
    for field, value, problems_of in (
        ("apiVersion", subject.api_version, qualified_name_problems),
        ("kind", subject.kind, c_identifier_problems),
        ("namespace", subject.namespace, dns1123_label_problems),
    ):
        if not value:
            errors.append(missing(field))
        elif problems := problems_of(value):
            errors.append(invalid(", ".join(problems), field))
    return errors


DEFINITION = define(
    SINKBINDINGS,
    SinkBindingSpec,
    SinkBindingStatus,
    Look(
        "Tells workloads where to send their events.",
        columns=(SINK, AGE, *READY),
        labels=SOURCE | {"duck.knative.dev/binding": "true"},
        categories=(*SOURCES, "bindings"),
    ),
    default=_default,
    validate=_validate,
)
