"""Pod templates and Jobs within kinds of eventing, written as Go writes its structs. Pure.

Their fields are the business of Kubernetes: what is known here is what Go writes though it is
empty, and what it prints in another form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from hearth.kube.models import PRESERVE, GoType, Keep, Schema, json_type
from hearth.kube.quantity import canonical

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def go_template(value: Any) -> dict[str, Any]:
    """Return a pod template as Go writes it; raise ValueError where it is none."""
    template = _struct(value, "v1.PodTemplateSpec")
    spec = _struct(template.get("spec"), "v1.PodSpec")
    written = {"containers": None, **spec}
    for field in _CONTAINERS:
        if written.get(field):
            written[field] = [_container(each) for each in written[field]]
    metadata = _struct(template.get("metadata"), "v1.ObjectMeta")
    return {**template, "metadata": metadata, "spec": written}


def go_job(value: Any) -> dict[str, Any]:
    """Return a Job as Go writes it; raise ValueError where it is none."""
    job = _struct(value, "v1.Job")
    spec = _struct(job.get("spec"), "v1.JobSpec")
    return {
        **job,
        "metadata": _struct(job.get("metadata"), "v1.ObjectMeta"),
        "spec": {**spec, "template": go_template(spec.get("template"))},
        "status": _struct(job.get("status"), "v1.JobStatus"),
    }


def _container(value: Any) -> dict[str, Any]:
    container = _struct(value, "v1.Container")
    resources = _struct(container.get("resources"), "v1.ResourceRequirements")
    for kind in ("limits", "requests"):
        if isinstance(resources.get(kind), Mapping):
            resources[kind] = {name: canonical(each) for name, each in resources[kind].items()}
    return {"name": "", **container, "resources": resources}


def _struct(value: Any, name: str) -> dict[str, Any]:
    """Null is absent, as everywhere in Go's JSON."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"json: cannot unmarshal {json_type(value)} into Go value of type {name}")
    return {name: member for name, member in value.items() if member is not None}


_WHOLE = Schema(PRESERVE, whole=True)
PodTemplate = Annotated[
    dict[str, Any], BeforeValidator(go_template), GoType("v1.PodTemplateSpec"), Keep(), _WHOLE
]
Job = Annotated[dict[str, Any], BeforeValidator(go_job), GoType("v1.Job"), _WHOLE]
