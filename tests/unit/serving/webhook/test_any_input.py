"""Whatever is sent, the webhooks answer; and what they make of it, they leave alone."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hearth.knative.admission import decisions
from hearth.knative.admission.configmaps import validate_config_map
from hearth.kube.admission import AdmissionRequest
from serving.api.config.features import FeaturesConfig, key_of
from serving.api.settings import Settings
from serving.webhook.admission import ADMISSION

KINDS = ADMISSION.by_kind()
ALL_ON = Settings(
    features=FeaturesConfig.from_data(
        {key_of(flag): "enabled" for flag in FeaturesConfig.__dataclass_fields__}
    )
)
SCALARS = st.none() | st.booleans() | st.integers(-5, 70000) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
SPEC: dict[str, Any] = {
    "template": {
        "metadata": {"name": "s-1", "annotations": {"autoscaling.knative.dev/target": "5"}},
        "spec": {
            "containers": [
                {
                    "image": "ko.local/hello",
                    "env": [
                        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
                    ],
                    "envFrom": [{"configMapRef": {"name": "c"}}],
                    "ports": [{"containerPort": 80, "name": "h2c"}],
                    "resources": {"limits": {"cpu": "1"}},
                    "readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 1},
                    "livenessProbe": {"grpc": {"port": 1}},
                    "securityContext": {"capabilities": {"add": ["X"], "drop": ["ALL"]}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                }
            ],
            "initContainers": [{"image": "ko.local/first"}],
            "volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}],
            "securityContext": {"supplementalGroups": [1], "seccompProfile": {"type": "X"}},
            "timeoutSeconds": 5,
        },
    },
    "traffic": [{"tag": "t", "percent": 100, "revisionName": "r"}],
    "containers": [{"image": "ko.local/hello"}],
    "ref": {"kind": "Service", "name": "s"},
    "rules": [{"http": {"paths": [{"splits": [{"serviceName": "a", "percent": 5}]}]}}],
    "scaleTargetRef": {"name": "a"},
    "dnsNames": ["a.b"],
}


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        found += _places(item, (*at, key))
    return found


def _with(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    target = spec
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return spec


def _request(kind: tuple[str, str, str], spec: Any, old: Any = None) -> AdmissionRequest:
    def an_object(spec: Any) -> dict[str, Any]:
        return {"kind": kind[2], "metadata": {"name": "s", "namespace": "d"}, "spec": spec}

    return AdmissionRequest(
        uid="1",
        group=kind[0],
        version=kind[1],
        kind=kind[2],
        resource="any",
        operation="UPDATE" if old else "CREATE",
        object=an_object(spec),
        old_object=an_object(old) if old else None,
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[2])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(_places(SPEC)), value=JSON, on=st.booleans())
def test_every_object_gets_an_answer(
    kind: tuple[str, str, str], place: tuple[Any, ...], value: Any, on: bool
) -> None:
    current = ALL_ON if on else Settings()
    spec = _with(place, value)
    answer = decisions.default(KINDS, _request(kind, spec), current)
    if not answer.allowed:
        assert "cannot decode incoming new object: " in answer.message
        return
    assert answer.changed is not None
    defaulted = answer.changed["spec"]
    again = decisions.default(KINDS, _request(kind, defaulted), current)
    assert again.changed is not None
    assert again.changed["spec"] == defaulted
    decisions.validate(KINDS, _request(kind, defaulted), current)
    decisions.validate(KINDS, _request(kind, defaulted, SPEC), current)


@pytest.mark.parametrize("name", ADMISSION.config_maps)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_config_map_gets_an_answer(name: str, data: st.DataObject) -> None:
    keys = st.sampled_from(
        [
            "stable-window",
            "container-name-template",
            "runtime-class-name",
            "progress-deadline",
            "domain-template",
            "tag-template",
            "namespace-wildcard-cert-selector",
            "revision-cpu-limit",
            "max-non-active-revisions",
            "tracing-sampling-rate",
            "logging.request-log-template",
            "example.com",
        ]
    )
    texts = st.text(max_size=12) | st.sampled_from(
        [
            "{{",
            "{{.Name | printf}}",
            '{{index .Labels "a" "b"}}',
            "{{if}}",
            "{{len 5}}",
            "- a",
            "1s",
        ]
    )
    obj = {"metadata": {"name": name}, "data": data.draw(st.dictionaries(keys, texts))}
    request = AdmissionRequest("1", "", "v1", "ConfigMap", "configmaps", "UPDATE", object=obj)
    answer = validate_config_map(ADMISSION.config_maps, request)
    assert answer.allowed or answer.message.startswith("validation failed: ")
