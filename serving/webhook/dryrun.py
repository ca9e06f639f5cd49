"""Tries the pod of a template against the API server, when a user asks for a dry run."""

from __future__ import annotations

from collections.abc import Callable

from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.models import DecodeError, decode, dump
from hearth.kube.resources import PODS
from serving.api import settings as api
from serving.api.defaulting import default_revision
from serving.api.revision import RevisionSpec
from serving.kinds.revision.containers import make_pod_spec
from serving.kinds.settings import Settings

_PREFIX = "dry-run-validation"
_UNSUPPORTED = "does not support dry run"


def make_pod(namespace: str, template: Object, settings: Settings) -> Object:
    """The pod a revision made of this template would get."""
    metadata = {"generateName": _PREFIX, "namespace": namespace}
    spec = decode(RevisionSpec, template.get("spec"), root="RevisionTemplateSpec", at=("spec",))
    defaults = api.Settings(settings.defaults, settings.features, settings.autoscaler)
    default_revision(spec, api.Context(defaults, parent=metadata))
    revision = {"metadata": metadata, "spec": dump(spec)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": make_pod_spec(revision, settings),
    }


class PodTrial:
    """Gives the API server's complaint about a template's pod, or None."""

    def __init__(self, client: KubeClient, settings: Callable[[], Settings]) -> None:
        self._client = client
        self._settings = settings

    async def __call__(self, namespace: str, template: Object) -> str | None:
        try:
            pod = make_pod(namespace, template, self._settings())
        except DecodeError as error:
            return f"could not decode RevisionTemplateSpec from resource: {error}"
        try:
            await self._client.create(PODS, pod, dry_run=True)
        except ApiError as error:
            if _UNSUPPORTED in error.message:
                return None
            return f"dry run failed with {error.message}: spec.template"
        return None
