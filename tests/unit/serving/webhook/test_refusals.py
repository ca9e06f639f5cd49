"""Manifests with one fault or several, and what Knative's own code says of each.

Each is a base that is right, with a fault laid over it, shaped as an API server does by the CRD.
The words are those of upstream's Validate functions (see the README of the recordings).
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest

from hearth.knative.admission.configmaps import validate_config_map
from hearth.knative.settings import LiveSettings
from hearth.kube.admission import UPDATE, AdmissionRequest
from hearth.kube.patch import merge_patch
from serving.api.settings import Settings
from serving.webhook.admission import ADMISSION
from tests.recordings import SERVING_REFUSALS, exchanges
from tests.unit.serving.webhook.test_golden import KINDS, answer

BY_KIND = {kind.kind: kind for kind in KINDS.values()}
POD = {"containers": [{"image": "ko.local/hello"}]}
SPLIT = {"serviceName": "a", "serviceNamespace": "golden", "servicePort": 80, "percent": 100}
SPECS: dict[str, Any] = {
    "Service": {"template": {"spec": POD}},
    "Configuration": {"template": {"spec": POD}},
    "Revision": POD,
    "Route": {"traffic": [{"configurationName": "c", "percent": 100}]},
    "DomainMapping": {
        "ref": {"kind": "Service", "apiVersion": "serving.knative.dev/v1", "name": "s"}
    },
    "Ingress": {
        "httpOption": "Enabled",
        "rules": [{"hosts": ["h.com"], "http": {"paths": [{"splits": [SPLIT]}]}}],
    },
    "Certificate": {"dnsNames": ["a.com"], "secretName": "s"},
    "PodAutoscaler": {
        "protocolType": "http1",
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "s"},
    },
}
REFUSALS = exchanges(SERVING_REFUSALS)


def base(kind: str) -> dict[str, Any]:
    name = "a.example.com" if kind == "DomainMapping" else "s"
    model = BY_KIND[kind]
    return {
        "apiVersion": f"{model.group}/{model.version}",
        "kind": kind,
        "metadata": {"name": name},
        "spec": copy.deepcopy(SPECS[kind]),
    }


def manifest(row: dict[str, Any]) -> dict[str, Any]:
    """The base with the row's fault: in the template's pod, its first container, or anywhere."""
    obj = base(row["kind"])
    template = {"metadata": {"annotations": row.get("annotations")}, "spec": row.get("pod", {})}
    if "template" in obj["spec"]:
        obj = merge_patch(obj, {"spec": {"template": template}})
    if "container" in row:
        containers = obj["spec"]["template"]["spec"]["containers"]
        containers[0] = merge_patch(containers[0], row["container"])
    changed: dict[str, Any] = merge_patch(obj, row.get("change", {}))
    return changed


def settings_of(row: dict[str, Any]) -> Settings:
    live = LiveSettings(Settings())
    for name, data in row.get("settings", {}).items():
        live.offer(name, data)
    return live.value


def refusal(row: dict[str, Any]) -> str:
    if row["kind"] == "ConfigMap":
        ((name, data),) = row["settings"].items()
        asked = AdmissionRequest(
            "1", "", "v1", "ConfigMap", "configmaps", UPDATE, object={"metadata": {"name": name}}
        )
        asked.object["data"] = data  # type: ignore[index]
        return validate_config_map(ADMISSION.config_maps, asked).message
    old = merge_patch(base(row["kind"]), row["old"]) if "old" in row else None
    _, message, _ = answer(BY_KIND[row["kind"]], manifest(row), old, settings_of(row))
    return message.partition(" denied the request: ")[2] or message


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: f"{row['kind']}: {row['fault']}")
def test_refused_in_knatives_words(row: dict[str, Any]) -> None:
    assert refusal(row) == row["refused"]


def test_the_bases_are_right() -> None:
    assert {kind: refusal({"kind": kind}) for kind in SPECS} == dict.fromkeys(SPECS, "")


def test_there_are_many_of_each_kind() -> None:
    counts = Counter(row["kind"] for row in REFUSALS)
    assert sum(counts.values()) >= 500
    assert all(counts[kind] >= 10 for kind in (*SPECS.keys() - {"Certificate"}, "ConfigMap"))
    assert len({(row["kind"], row["fault"]) for row in REFUSALS}) == len(REFUSALS)
