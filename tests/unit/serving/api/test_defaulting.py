"""What is filled in, and what is left alone."""

from typing import Any

import pytest

from hearth.kube.models import decode, dump
from serving.api.config.defaults import DefaultsConfig
from serving.api.config.features import FeaturesConfig
from serving.api.configuration import ConfigurationSpec
from serving.api.defaulting import (
    default_configuration,
    default_ingress,
    default_revision,
    default_route,
)
from serving.api.ingress import IngressSpec
from serving.api.revision import RevisionSpec
from serving.api.route import RouteSpec
from serving.api.settings import Context, Settings

IMAGE = {"image": "ko.local/hello"}
READY = {"successThreshold": 1, "tcpSocket": {"port": 0}}


def defaulted(spec: dict[str, Any], context: Context | None = None) -> Any:
    model = decode(RevisionSpec, spec, root="Revision")
    default_revision(model, context or Context())
    return dump(model)


def with_settings(
    *, features: dict[str, str] | None = None, defaults: dict[str, str] | None = None
) -> Context:
    return Context(
        Settings(
            defaults=DefaultsConfig.from_data(defaults or {}),
            features=FeaturesConfig.from_data(features or {}),
        )
    )


def test_the_smallest_revision() -> None:
    assert defaulted({"containers": [IMAGE]}) == {
        "containerConcurrency": 0,
        "containers": [
            {**IMAGE, "name": "user-container", "resources": {}, "readinessProbe": READY}
        ],
        "enableServiceLinks": False,
        "timeoutSeconds": 300,
    }


def test_defaulting_twice_changes_nothing() -> None:
    once = defaulted({"containers": [IMAGE, {**IMAGE, "ports": [{"containerPort": 1}]}]})
    assert defaulted(once) == once


def test_settings_are_followed() -> None:
    context = with_settings(
        defaults={
            "revision-timeout-seconds": "60",
            "revision-response-start-timeout-seconds": "30",
            "revision-idle-timeout-seconds": "20",
            "container-concurrency": "5",
            "revision-cpu-request": "0.4",
            "revision-memory-limit": "200M",
            "enable-service-links": "default",
            "container-name-template": "{{.Name}}-app",
        }
    )
    context = Context(context.settings, parent={"name": "hello"})
    found = defaulted({"containers": [IMAGE]}, context)
    assert found["timeoutSeconds"] == 60
    assert found["responseStartTimeoutSeconds"] == 30
    assert found["idleTimeoutSeconds"] == 20
    assert found["containerConcurrency"] == 5
    assert "enableServiceLinks" not in found
    assert found["containers"][0]["name"] == "hello-app"
    assert found["containers"][0]["resources"] == {
        "requests": {"cpu": "400m"},
        "limits": {"memory": "200M"},
    }


def test_narrower_timeouts_only_where_they_are_narrower() -> None:
    found = defaulted(
        {"containers": [IMAGE], "timeoutSeconds": 10},
        with_settings(defaults={"revision-idle-timeout-seconds": "20"}),
    )
    assert "idleTimeoutSeconds" not in found
    assert "responseStartTimeoutSeconds" not in found


def test_several_containers_are_numbered_around_names_taken() -> None:
    port = {"ports": [{"containerPort": 8080}]}
    found = defaulted({"containers": [{**IMAGE, **port}, IMAGE, {"name": "user-container-1"}]})
    names = [container["name"] for container in found["containers"]]
    assert names == ["user-container-0", "user-container-2", "user-container-1"]


def test_only_the_container_with_a_port_is_probed() -> None:
    port = {"ports": [{"containerPort": 8080}]}
    first, second = defaulted({"containers": [{**IMAGE, **port}, IMAGE]})["containers"]
    assert first["readinessProbe"] == READY
    assert "readinessProbe" not in second


@pytest.mark.parametrize(
    ("probe", "result"),
    [
        ({}, READY),
        (
            {"periodSeconds": 2},
            READY | {"periodSeconds": 2, "failureThreshold": 3, "timeoutSeconds": 1},
        ),
        ({"httpGet": {"path": "/"}}, {"httpGet": {"path": "/", "port": 0}, "successThreshold": 1}),
        ({"grpc": {"port": 5}}, {"grpc": {"port": 5, "service": ""}, "successThreshold": 1}),
        (
            {"exec": {"command": ["x"]}, "successThreshold": 2},
            {"exec": {"command": ["x"]}, "successThreshold": 2},
        ),
    ],
)
def test_readiness(probe: dict[str, Any], result: dict[str, Any]) -> None:
    found = defaulted({"containers": [{**IMAGE, "readinessProbe": probe}]})
    assert found["containers"][0]["readinessProbe"] == result


def test_mounts_are_read_only_unless_the_volume_is_writable() -> None:
    mounts = [{"name": n, "mountPath": f"/{n}"} for n in ("s", "e", "p", "none")]
    found = defaulted(
        {
            "containers": [{**IMAGE, "volumeMounts": mounts}],
            "volumes": [
                {"name": "s", "secret": {"secretName": "x"}},
                {"name": "e", "emptyDir": {}},
                {"name": "p", "persistentVolumeClaim": {"claimName": "c"}},
            ],
        }
    )
    read_only = [m.get("readOnly", False) for m in found["containers"][0]["volumeMounts"]]
    assert read_only == [True, False, False, True]


def test_security_is_filled_in_where_the_feature_says_so() -> None:
    low = {**IMAGE, "ports": [{"containerPort": 80}]}
    enabled = with_settings(features={"secure-pod-defaults": "enabled"})
    context = defaulted({"containers": [low]}, enabled)["containers"][0]["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    bounded = with_settings(features={"secure-pod-defaults": "AllowRootBounded"})
    context = defaulted({"containers": [IMAGE]}, bounded)["containers"][0]["securityContext"]
    assert "runAsNonRoot" not in context


def test_an_update_does_not_switch_service_links() -> None:
    found = defaulted({"containers": [IMAGE]}, Context(creating=False))
    assert "enableServiceLinks" not in found


def test_a_template_that_keeps_its_name_is_left_alone() -> None:
    template = {"template": {"metadata": {"name": "s-1"}, "spec": {"containers": [IMAGE]}}}
    old = decode(ConfigurationSpec, template, root="Configuration")
    new = old.model_copy(deep=True)
    default_configuration(new, old, Context(creating=False))
    assert new == old
    default_configuration(new, None, Context())
    assert new.template.spec.timeout_seconds == 300


@pytest.mark.parametrize(
    ("traffic", "in_service", "result"),
    [
        ([], True, [{"latestRevision": True, "percent": 100}]),
        ([], False, None),
        (
            [{"revisionName": "a"}],
            True,
            [{"revisionName": "a", "latestRevision": False, "percent": 0}],
        ),
        ([{"percent": 5}], False, [{"latestRevision": True, "percent": 5}]),
    ],
)
def test_traffic(traffic: list[Any], in_service: bool, result: list[Any] | None) -> None:
    spec = decode(RouteSpec, {"traffic": traffic}, root="Route")
    default_route(spec, in_service=in_service)
    assert dump(spec).get("traffic") == result


def test_ingress() -> None:
    split = {"serviceName": "a", "serviceNamespace": "d", "servicePort": 80}
    rules = [{"http": {"paths": [{"splits": [split]}]}}, {}]
    spec = decode(IngressSpec, {"rules": rules}, root="Ingress")
    default_ingress(spec)
    assert [rule.visibility for rule in spec.rules] == ["ExternalIP", "ExternalIP"]
    assert dump(spec)["rules"][0]["http"]["paths"][0]["splits"] == [split | {"percent": 100}]
