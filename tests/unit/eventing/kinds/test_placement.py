"""Where pods of adapters run."""

from __future__ import annotations

from typing import Any

from eventing.kinds.placement import Placement, placement_of


def test_what_puts_control_somewhere_is_taken_over() -> None:
    own: dict[str, Any] = {
        "nodeSelector": {"pool": "system"},
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "hearth",
        "priority": 100,
        "nodeName": "n1",
        "serviceAccountName": "hearth-control",
        "tolerations": [
            {"key": "system", "operator": "Exists"},
            {
                "key": "node.kubernetes.io/not-ready",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            },
        ],
        "containers": [{"image": "i", "imagePullPolicy": "Always"}],
    }
    assert placement_of({"spec": own}) == Placement(
        {
            "nodeSelector": {"pool": "system"},
            "imagePullSecrets": [{"name": "registry"}],
            "priorityClassName": "hearth",
            "tolerations": [{"key": "system", "operator": "Exists"}],
        },
        "Always",
    )


def test_where_nothing_is_said_nothing_is_taken_over() -> None:
    assert placement_of({}) == placement_of({"spec": {"containers": [{}]}}) == Placement()
