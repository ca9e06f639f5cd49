"""ContainerSource: a container of the user's that sends events."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from eventing.api.definitions import AGE, READY, SINK, SOURCE, SOURCES, Look, define
from eventing.api.podtemplate import PodTemplate, go_template
from eventing.api.settings import Settings
from eventing.api.shapes import SourceSpec, SourceStatus
from eventing.api.sources import check_source
from hearth.knative.admission.kinds import Change
from hearth.knative.fielderrors import Errors, missing, via
from hearth.knative.resources import CONTAINERSOURCES


class ContainerSourceSpec(SourceSpec):
    """The pod to run, and where its events go."""

    go_type: ClassVar[str] = "v1.ContainerSourceSpec"

    template: PodTemplate = Field(default_factory=lambda: go_template(None))
    """The pod to run: it finds its sink in K_SINK."""


class ContainerSourceStatus(SourceStatus):
    """What has become of a ContainerSource."""


def _default(change: Change[ContainerSourceSpec, Settings]) -> None:
    """Containers without a name get the source's, with their number."""
    new, template = change.new, change.new.spec.template
    containers = [
        {**each, "name": each["name"] or f"{new.name}-{number}"}
        for number, each in enumerate(_containers(template))
    ]
    pod = {**template["spec"], "containers": containers}
    new.spec = new.spec.model_copy(update={"template": {**template, "spec": pod}})


def _containers(template: dict[str, Any]) -> list[dict[str, Any]]:
    return template["spec"].get("containers") or []


def _validate(change: Change[ContainerSourceSpec, Settings]) -> Errors:
    spec = change.new.spec
    containers = _containers(spec.template)
    errors: Errors = [] if containers else [missing("containers")]
    for number, container in enumerate(containers):
        absent = [missing(field) for field in ("name", "image") if not container.get(field)]
        errors += via(absent, f"containers[{number}]")
    return via(errors + check_source(spec, change.settings.features), "spec")


DEFINITION = define(
    CONTAINERSOURCES,
    ContainerSourceSpec,
    ContainerSourceStatus,
    Look(
        "Runs a container that sends events.",
        columns=(SINK, AGE, *READY),
        labels=SOURCE,
        categories=SOURCES,
    ),
    default=_default,
    validate=_validate,
)
