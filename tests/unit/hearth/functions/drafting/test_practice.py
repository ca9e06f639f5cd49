"""Each rule of good practice: what it finds, what it lets be."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.functions.drafting.practice import IGNORE, RULES, practice
from hearth.functions.drafting.service import drafted_service
from hearth.kube.meta import Object

GOOD = {
    "name": "app",
    "image": "ghcr.io/me/app@sha256:00",
    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}},
    "securityContext": {"runAsNonRoot": True},
}


def a_service(template: dict[str, Any] | None = None, **container: Any) -> Object:
    annotations = {"autoscaling.knative.dev/max-scale": "3", **(template or {})}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "shop"},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [{**GOOD, **container}]},
            }
        },
    }


def a_deployment(pod: dict[str, Any] | None = None, **container: Any) -> Object:
    spec = {**(pod or {}), "containers": [{**GOOD, **container}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {"replicas": 2, "template": {"spec": {"topologySpreadConstraints": [{}], **spec}}},
    }


def an(api_version: str, kind: str, name: str = "x", **fields: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def env(name: str, value: str) -> dict[str, Any]:
    return {"env": [{"name": name, "value": value}]}


SCALED = an("keda.sh/v1alpha1", "ScaledObject", spec={"scaleTargetRef": {"name": "shop"}})
CORE = an("v1", "Service", "one", spec={"selector": {"a": "b"}})
BUDGET = ("policy/v1", "PodDisruptionBudget")
TRIGGER = an("eventing.knative.dev/v1", "Trigger", spec={"broker": "default"})
DEAD = {"delivery": {"deadLetterSink": {"uri": "http://x"}}}

FOUND: list[tuple[str, Object, str]] = [
    ("memory-limit", a_service(resources={"requests": {"cpu": "1"}}), ".resources"),
    ("cpu-request", a_service(resources={"limits": {"memory": "1Gi"}}), ".resources"),
    ("latest-tag", a_service(image="ghcr.io/me/app"), ".image"),
    ("latest-tag", a_service(image="host:5000/app:latest"), ".image"),
    ("image-digest", a_service(image="host:5000/app:1"), ".image"),
    ("local-image", a_service(image="dev.local/shop@sha256:00"), ".image"),
    ("run-as-root", a_service(securityContext={}), ".securityContext"),
    ("run-as-root", a_service(securityContext={"runAsUser": 0, "runAsNonRoot": True}), "Context"),
    ("run-as-root", a_deployment({"securityContext": {"runAsNonRoot": False}}, securityContext={}),
     "Context"),
    ("privileged", a_deployment(securityContext={"privileged": True}), "privileged"),
    ("privileged", a_deployment({"hostNetwork": True}), "spec.template.spec.hostNetwork"),
    ("privileged", a_deployment({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
     "volumes[0].hostPath"),
    ("secret-in-value", a_service(**env("DB_PASSWORD", "x")), "containers[0].env[0].value"),
    ("secret-in-value", a_service(**env("URL", "redis://me:pw@host/0")), "env[0].value"),
    ("secret-in-value", an("v1", "ConfigMap", data={"API_KEY": "x"}), "data.API_KEY"),
    ("readiness-probe", a_deployment(ports=[{"containerPort": 80}]), "containers[0]"),
    ("timer-at-zero", a_service(**env("POLL_INTERVAL", "60")), "env[0]"),
    ("max-scale", a_service({"autoscaling.knative.dev/max-scale": "0"}), "annotations"),
    ("counted-twice", a_deployment(), "spec.replicas"),
    ("spread", a_deployment({"topologySpreadConstraints": []}), "spec.template.spec"),
    ("blocking-budget", an(*BUDGET, spec={"maxUnavailable": 0}), "spec.maxUnavailable"),
    ("blocking-budget", an(*BUDGET, spec={"minAvailable": "100%"}), "spec.minAvailable"),
    ("same-selector", an("v1", "Service", "two", spec={"selector": {"a": "b"}}), "spec.selector"),
    ("twice", an("v1", "Service", "one", spec={}), "metadata.name"),
    ("dead-letter-sink", TRIGGER, "spec"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "obj", "place"), FOUND)
def test_what_a_rule_finds(rule: str, obj: Object, place: str) -> None:
    found = [(each.name, seen[0]) for each, seen in practice(obj, [CORE, SCALED, obj])]
    mine = [at for title, at in found if title == rule]
    assert len(mine) == 1 and mine[0].endswith(place), found
    obj["metadata"]["annotations"] = {IGNORE: f"other, {rule}"}
    assert rule not in {each.name for each, _ in practice(obj, [CORE, SCALED, obj])}


def test_every_rule_is_tested_and_says_what_to_do() -> None:
    assert {each.name for each in RULES} == {rule for rule, _, _ in FOUND}
    assert all(each.reason and each.remedy for each in RULES)


@pytest.mark.parametrize(
    "obj",
    [
        a_service(),
        a_service({"autoscaling.knative.dev/min-scale": "1"}, **env("POLL_INTERVAL", "60")),
        a_service(**env("TOKEN_FILE", "/run/token")),
        a_service(**env("PASSWORD", "$(OTHER)")),
        a_service(env=[{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "x"}}}]),
        a_deployment(ports=[{"containerPort": 80}], readinessProbe={"tcpSocket": {"port": 80}}),
        a_deployment({"securityContext": {"runAsUser": 1000}}, securityContext={}),
        an(*BUDGET, spec={"maxUnavailable": 1}),
        an("eventing.knative.dev/v1", "Trigger", spec={"broker": "x", **DEAD}),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": ["x", None]}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"a": "b"}, "spec": None},
    ],
)
def test_what_is_good_is_let_be(obj: Object) -> None:
    assert [(each.name, seen) for each, seen in practice(obj, [obj])] == []


def test_a_brokers_dead_letter_sink_is_enough_for_its_triggers() -> None:
    broker = an("eventing.knative.dev/v1", "Broker", "default", spec=DEAD)
    assert list(practice(TRIGGER | {"metadata": {"name": "x"}}, [broker])) == []


def test_what_is_drafted_is_good() -> None:
    found = practice(drafted_service("shop", "ghcr.io/me/shop:1", "8080"), [])
    assert [each.name for each, _ in found] == ["image-digest"]
