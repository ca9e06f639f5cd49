"""Corner cases that upstream's own code was asked about; its answers are noted here."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.knative.admission import decisions
from hearth.knative.admission.configmaps import validate_config_map
from hearth.kube.admission import CREATE, AdmissionRequest, AdmissionResponse
from serving.api import keys
from serving.api.config.features import FeaturesConfig
from serving.api.settings import Settings
from serving.webhook.admission import ADMISSION

KINDS = ADMISSION.by_kind()
SOME_IMAGE = "ko.local/hello"


def answer(
    kind: str, spec: dict[str, Any], *, group: str = keys.SERVING_GROUP, **flags: str
) -> tuple[dict[str, Any], str]:
    """The defaulted spec, and the refusal."""
    settings = Settings(features=FeaturesConfig(**flags))
    version = "v1" if group == keys.SERVING_GROUP else "v1alpha1"
    obj = {"kind": kind, "metadata": {"name": "s", "namespace": "ns"}, "spec": spec}

    def asked(obj: dict[str, Any]) -> AdmissionRequest:
        return AdmissionRequest("1", group, version, kind, "", CREATE, "s", "ns", object=obj)

    changed = decisions.default(KINDS, asked(obj), settings).changed
    assert changed is not None
    verdict, _ = decisions.validate(KINDS, asked(changed), settings)
    return changed["spec"], verdict.message


def service(container: dict[str, Any] | None = None, **pod: Any) -> dict[str, Any]:
    main = {"image": SOME_IMAGE, **(container or {})}
    return {"template": {"spec": {"containers": [main], **pod}}}


def test_a_claim_of_an_ephemeral_volume_is_written_whole() -> None:
    claim = {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    spec, refusal = answer(
        "Service",
        service(mount, volumes=[{"name": "v", "ephemeral": claim}]),
        podspec_volumes_ephemeral="Enabled",
    )
    assert refusal == ""
    assert spec["template"]["spec"]["volumes"][0]["ephemeral"] == {
        "volumeClaimTemplate": {
            "metadata": {},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {}},
        }
    }


def test_an_init_container_that_stays_is_refused() -> None:
    init = [{"name": "i", "image": SOME_IMAGE, "restartPolicy": "Always"}]
    spec, refusal = answer(
        "Service", service(initContainers=init), podspec_init_containers="Enabled"
    )
    assert spec["template"]["spec"]["initContainers"][0]["restartPolicy"] == "Always"
    assert refusal == (
        "validation failed: must not set the field(s): spec.template.spec.containers[0]."
        "restartPolicy"
    )


def test_newer_fields_of_the_pods_security_context_are_refused() -> None:
    context = {"appArmorProfile": {"type": "RuntimeDefault"}}
    _, refusal = answer(
        "Service", service(securityContext=context), podspec_securitycontext="Enabled"
    )
    assert refusal == (
        "validation failed: must not set the field(s): "
        "spec.template.spec.securityContext.appArmorProfile"
    )


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ({"splits": []}, "spec.rules[0].http.paths[0]"),
        ({"path": "/x", "splits": []}, "spec.rules[0].http.paths[0].splits"),
        ({"splits": [{"percent": 100}]}, "spec.rules[0].http.paths[0].splits[0]"),
    ],
)
def test_an_empty_path_of_an_ingress(path: dict[str, Any], complaint: str) -> None:
    rules = [{"hosts": ["h"], "http": {"paths": [path]}}]
    _, refusal = answer("Ingress", {"rules": rules}, group=keys.NETWORKING_INTERNAL_GROUP)
    assert refusal == f"validation failed: missing field(s): {complaint}"


def test_empty_annotations_are_left_out() -> None:
    rules = {"kind": "Revision", "metadata": {"name": "r", "annotations": {}, "labels": {}}}
    request = AdmissionRequest("1", keys.SERVING_GROUP, "v1", "Revision", "", CREATE, object=rules)
    changed = decisions.default(KINDS, request, Settings()).changed
    assert changed is not None
    assert changed["metadata"] == {"name": "r"}


def test_numbers_that_go_reads() -> None:
    spec = service()
    spec["template"]["metadata"] = {"annotations": {keys.TARGET_UTILIZATION.key: "1_0"}}
    assert answer("Service", spec)[1] == ""


@pytest.mark.parametrize("value", ["NaN", "nan", "Inf", "-inf", "+Infinity", "1e400", "１０"])
@pytest.mark.parametrize(
    "annotation",
    [
        keys.TARGET,
        keys.TARGET_UTILIZATION,
        keys.TARGET_BURST_CAPACITY,
        keys.PANIC_WINDOW_PERCENTAGE,
        keys.PANIC_THRESHOLD_PERCENTAGE,
    ],
    ids=lambda annotation: str(annotation.key),
)
def test_numbers_that_nobody_can_compute_with_are_refused(
    annotation: keys.Aliases, value: str
) -> None:
    """Knative takes NaN and infinities; its autoscaler then works with them."""
    spec = service()
    spec["template"]["metadata"] = {"annotations": {annotation.key: value}}
    refusal = f"invalid value: {value}: spec.template.metadata.annotations.{annotation.key}"
    assert answer("Service", spec)[1] == f"validation failed: {refusal}"


def config_map(name: str, **data: str) -> AdmissionResponse:
    obj = {"metadata": {"name": name}, "data": {k.replace("_", "-"): v for k, v in data.items()}}
    return validate_config_map(
        ADMISSION.config_maps,
        AdmissionRequest("1", "", "v1", "ConfigMap", "configmaps", CREATE, object=obj),
    )


@pytest.mark.parametrize(
    ("name", "key", "value", "complaint"),
    [
        (
            "config-leader-election",
            "buckets",
            "-1",
            'failed to parse "buckets": strconv.ParseUint: parsing "-1": invalid syntax',
        ),
        ("config-logging", "loglevel.x", "warning", ""),
        ("config-domain", "a.b", "selector: {a: 1}", ""),
        ("config-deployment", "runtime_class_name", "kata: {selector: {a: true}}", ""),
        (
            "config-autoscaler",
            "panic_window_percentage",
            "1000000",
            "panic-window-percentage = 1e+06, must be in [1, 100] interval",
        ),
        (
            "config-network",
            "namespace_wildcard_cert_selector",
            "x",
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into "
            "Go value of type v1.LabelSelector",
        ),
        (
            "config-network",
            "namespace_wildcard_cert_selector",
            "matchExpressions: [{key: a, operator: Near}]",
            'invalid label selector for namespaces: "Near" is not a valid label selector operator',
        ),
        (
            "config-network",
            "namespace_wildcard_cert_selector",
            "matchLabels: [a]",
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go "
            "struct field LabelSelector.matchLabels of type map[string]string",
        ),
        (
            "config-network",
            "domain_template",
            "{{.Name}",
            "template: domain-template:1: bad character U+007D '}'",
        ),
    ],
)
def test_values_of_config_maps(name: str, key: str, value: str, complaint: str) -> None:
    verdict = config_map(name, **{key: value})
    assert verdict.message == (f"validation failed: {complaint}" if complaint else "")
