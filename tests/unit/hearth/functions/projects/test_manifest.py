"""What func.yaml asks of a Service and of Triggers."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.functions.deploying.manifest import new_service
from hearth.functions.projects.manifest import subscribed, triggers, with_project
from hearth.functions.projects.project import ProjectError, Subscription, read_project
from tests.unit.hearth.functions.projects.test_project import WHOLE

Object = dict[str, Any]
LOCAL = {"TEAM": "blue"}


def service() -> Object:
    return with_project(new_service("mail", "shop"), read_project(WHOLE), LOCAL)


def test_the_service_of_a_whole_project() -> None:
    labels = {
        "boson.dev/function": "true",
        "function.knative.dev/name": "mail",
        "function.knative.dev/runtime": "python",
        "example.com/team": "blue",
    }
    made = service()
    assert made["metadata"] == {
        "name": "mail",
        "namespace": "shop",
        "labels": labels,
        "annotations": {"a": "b"},
    }
    template = made["spec"]["template"]
    scaling = {
        "min-scale": "1",
        "max-scale": "3",
        "metric": "rps",
        "target": "50.500000",
        "target-utilization-percentage": "80.000000",
    }
    assert template["metadata"] == {
        "labels": labels,
        "annotations": {
            **{f"autoscaling.knative.dev/{name}": value for name, value in scaling.items()},
            "a": "b",
        },
    }
    assert template["spec"] == {
        "serviceAccountName": "robot",
        "containerConcurrency": 5,
        "volumes": [
            {"name": "func-0", "secret": {"secretName": "keys"}},
            {
                "name": "func-1",
                "persistentVolumeClaim": {"claimName": "data", "readOnly": True},
            },
            {"name": "func-2", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        ],
        "containers": [
            {
                "resources": {
                    "requests": {"cpu": "100m", "memory": "32Mi"},
                    "limits": {"cpu": "1", "memory": "64Mi"},
                },
                "env": [{"name": "A", "value": "1"}],
                "envFrom": [{"secretRef": {"name": "all"}}],
                "volumeMounts": [
                    {"name": "func-0", "mountPath": "/keys"},
                    {"name": "func-1", "mountPath": "/data", "readOnly": True},
                    {"name": "func-2", "mountPath": "/tmp"},
                ],
                "livenessProbe": {"httpGet": {"path": "/alive", "port": 0}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 0}},
            }
        ],
    }


def test_the_same_again_changes_nothing() -> None:
    once = service()
    once["spec"]["template"]["metadata"]["name"] = "mail-v1"
    assert with_project(once, read_project(WHOLE), LOCAL) == once


def variable(value: str, name: str = "name: A, ") -> Object:
    text = f"created: x\nname: a\nrun: {{envs: [{{{name}value: '{value}'}}]}}"
    made = with_project(new_service("a", "b"), read_project(text), LOCAL)
    container: Object = made["spec"]["template"]["spec"]["containers"][0]
    return container


def test_values_that_name_others() -> None:
    assert variable("{{env:TEAM}}")["env"] == [{"name": "A", "value": "blue"}]
    assert variable("{{ configMap:c:k }}")["env"] == [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
    ]
    assert variable("{{ secret:c:k }}")["env"] == [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "c", "key": "k"}}}
    ]
    assert variable("{{ configMap:c }}", "")["envFrom"] == [{"configMapRef": {"name": "c"}}]


@pytest.mark.parametrize(
    ("value", "name", "message"),
    [
        ("{{ env:NOBODY }}", "name: A, ", "no variable NOBODY"),
        ("{{ secret:s }}", "name: A, ", "names no key"),
        ("{{ file:x }}", "name: A, ", "give {{ env:NAME }}"),
        ("plain", "", "without a name"),
    ],
)
def test_values_that_name_nothing(value: str, name: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        variable(value, name)


def test_a_volume_of_nothing() -> None:
    project = read_project("created: x\nname: a\nrun: {volumes: [{path: /x}]}")
    with pytest.raises(ProjectError, match="/x is of no Secret"):
        with_project(new_service("a", "b"), project, {})


def test_triggers() -> None:
    made = service()
    made["metadata"]["uid"] = "7"
    [trigger] = triggers(read_project(WHOLE), made)
    assert trigger["metadata"]["name"] == "mail-function-trigger-0"
    assert trigger["metadata"]["ownerReferences"][0]["uid"] == "7"
    assert trigger["spec"]["broker"] == "default"
    assert trigger["spec"]["filter"] == {"attributes": {"type": "com.example"}}
    assert trigger["spec"]["subscriber"]["ref"]["name"] == "mail"


def test_subscriptions_are_joined_by_their_source() -> None:
    project = read_project(WHOLE)
    more = subscribed(project, "default", {"type": "b", "x": "y"})
    assert more.deploy.subscriptions == [
        Subscription(source="default", filters={"type": "b", "x": "y"})
    ]
    other = subscribed(project, "other", {"type": "b"})
    assert [each.source for each in other.deploy.subscriptions] == ["default", "other"]
    assert project == read_project(WHOLE)
