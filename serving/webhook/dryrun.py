"""The pod that a dry run of a Service or Configuration tries on the API server. Pure."""

from __future__ import annotations

from hearth.kube.meta import Object
from hearth.kube.models import dump
from serving.api.defaulting import default_revision
from serving.api.revision import RevisionSpec
from serving.api.settings import Context, Settings
from serving.kinds.revision.containers import make_pod_spec

_PREFIX = "dry-run-validation"


def make_pod(namespace: str, spec: RevisionSpec, settings: Settings) -> Object:
    """Make the pod that a revision with this spec would get."""
    metadata = {"generateName": _PREFIX, "namespace": namespace}
    spec = spec.model_copy(deep=True)
    default_revision(spec, Context(settings, parent=metadata))
    revision = {"metadata": metadata, "spec": dump(spec)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": make_pod_spec(revision, settings),
    }
