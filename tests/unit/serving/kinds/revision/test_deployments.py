"""Deployments as Knative's own code makes them: each field of a pod, each setting that shapes one.

The sidecar is left out of what was recorded, and so are probes that it runs and what tells it of a
pod's end. What becomes of a pod is the node's affair; that an API server takes it is tried here.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hearth.cluster.kinds import catalog
from hearth.knative.admission import decisions
from hearth.kube.admission import CREATE, AdmissionRequest
from serving.api.config.features import FeaturesConfig, key_of
from serving.kinds.revision.children import make_deployment
from serving.webhook.admission import ADMISSION
from tests.recordings import SERVING_DEPLOYMENTS, exchanges
from tests.unit.serving.webhook.test_refusals import settings_of

ROWS = exchanges(SERVING_DEPLOYMENTS)
PODS = next(kind for kind in catalog.KINDS if kind.kind == "Pod")
_OF_THE_SIDECAR = {
    "multi_container",
    "autodetect_http2",
    "tag_header_based_routing",
    "queueproxy_mount_podinfo",
    "queueproxy_resource_defaults",
}
"""Flags that change nothing of the user's part of a pod."""


def made(row: dict[str, Any]) -> dict[str, Any]:
    settings = settings_of(row)
    metadata: dict[str, Any] = {"name": "s-1", "namespace": "ns", "uid": "u"}
    metadata["ownerReferences"] = [{"kind": "Configuration", "name": "cfg"}]
    metadata |= {key: row[key] for key in ("labels", "annotations") if key in row}
    group = {"apiVersion": "serving.knative.dev/v1", "kind": "Revision"}
    asked = {**group, "metadata": metadata, "spec": copy.deepcopy(row["spec"])}
    revision = decisions.default(ADMISSION.by_kind(), _request(asked), settings).changed
    assert revision is not None
    verdict, _ = decisions.validate(ADMISSION.by_kind(), _request(revision), settings)
    assert verdict.message == ""
    return make_deployment(revision, settings)


def _request(obj: dict[str, Any]) -> AdmissionRequest:
    return AdmissionRequest("1", "serving.knative.dev", "v1", "Revision", "", CREATE, object=obj)


def compared(deployment: dict[str, Any]) -> dict[str, Any]:
    labels = {k: v for k, v in deployment["metadata"]["labels"].items() if "hash" not in k}
    template = deployment["spec"]["template"]
    spec = copy.deepcopy(template["spec"])
    for container in spec["containers"]:
        if "exec" not in container.get("readinessProbe", {}):
            container.pop("readinessProbe", None)
        for port in container.get("ports", ()):
            port.pop("protocol")
    return {
        "labels": labels,
        "annotations": deployment["metadata"]["annotations"],
        "replicas": deployment["spec"]["replicas"],
        "progressDeadlineSeconds": deployment["spec"]["progressDeadlineSeconds"],
        "template": {
            "annotations": template["metadata"]["annotations"],
            "spec": without_empty(spec),
        },
    }


def without_empty(value: Any) -> Any:
    """As the recording has it: Go leaves out most that is empty, but not all."""
    if isinstance(value, dict):
        return {
            key: without_empty(member)
            for key, member in value.items()
            if member not in ({}, [], None) or key == "emptyDir"
        }
    return [without_empty(member) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["what"]))
def test_made_as_knative_makes_it(row: dict[str, Any]) -> None:
    deployment = made(row)
    assert compared(deployment) == row["deployment"]
    template = deployment["spec"]["template"]
    pod = {"metadata": {"name": "p", "namespace": "ns", **template["metadata"]}}
    pod["spec"] = template["spec"]
    PODS.strategy.default(pod)
    assert PODS.strategy.validate(pod) == []


def test_each_flag_is_tried() -> None:
    tried = {flag for row in ROWS for flag in row.get("settings", {}).get("config-features", ())}
    flags = FeaturesConfig.__dataclass_fields__.keys() - _OF_THE_SIDECAR
    assert {key_of(flag) for flag in flags} - tried == set()
