"""What a refusal tells of the rule that is missing."""

from __future__ import annotations

import pytest

from hearth.kube.errors import Forbidden

WHO = 'User "system:serviceaccount:knative-serving:hearth-control" cannot'


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        pytest.param(
            f'services.serving.knative.dev is forbidden: {WHO} list resource "services" in API '
            'group "serving.knative.dev" at the cluster scope',
            '{apiGroups: ["serving.knative.dev"], resources: ["services"], verbs: ["list"]}'
            " in a ClusterRole",
            id="cluster",
        ),
        pytest.param(
            f'secrets "a" is forbidden: {WHO} get resource "secrets" in API group "" in the '
            'namespace "knative-serving"',
            '{apiGroups: [""], resources: ["secrets"], verbs: ["get"]} in a Role of that namespace',
            id="namespace",
        ),
        pytest.param(
            f'{WHO} update resource "services/status" in API group "serving.knative.dev" in the '
            'namespace "default": RBAC: role not found',
            '{apiGroups: ["serving.knative.dev"], resources: ["services/status"], '
            'verbs: ["update"]} in a Role of that namespace',
            id="subresource",
        ),
        pytest.param("admission webhook denied the request", "", id="not a right"),
    ],
)
def test_the_rule_to_add(message: str, rule: str) -> None:
    error = Forbidden({"message": message})
    assert error.rule == rule
    assert error.facts == ({"error": message, "rule": rule} if rule else {"error": message})
