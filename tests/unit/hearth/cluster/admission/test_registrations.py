from typing import Any

import pytest

from hearth.cluster.admission.registrations import (
    Webhook,
    is_exempt,
    matching_version,
    selects_objects,
    webhooks_of,
)
from hearth.cluster.model.kind import Kind, Table

NO_TABLE = Table((), lambda obj, now: ())


def a_kind(group: str = "apps", version: str = "v1", plural: str = "deployments") -> Kind:
    return Kind(
        group=group,
        version=version,
        kind="Thing",
        plural=plural,
        singular="thing",
        namespaced=True,
        schema={},
        table=NO_TABLE,
    )


def a_rule(**changes: Any) -> dict[str, Any]:
    return {
        "operations": ["CREATE"],
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "resources": ["deployments"],
        **changes,
    }


def a_webhook(*rules: dict[str, Any], **changes: Any) -> Webhook:
    declared = {"name": "w.example.com", "rules": list(rules) or [a_rule()], **changes}
    return webhooks_of({"metadata": {"name": "c"}, "webhooks": [declared]})[0]


def concerned(webhook: Webhook, **request: Any) -> bool:
    asked: dict[str, Any] = {
        "operation": "CREATE",
        "subresource": "",
        "kinds": [a_kind()],
        "namespaced": True,
        **request,
    }
    operation, subresource = asked.pop("operation"), asked.pop("subresource")
    return matching_version(webhook, operation, subresource, **asked) is not None


@pytest.mark.parametrize(
    ("rule", "request_", "expected"),
    [
        pytest.param({}, {}, True, id="exact"),
        pytest.param({}, {"operation": "UPDATE"}, False, id="other operation"),
        pytest.param({"operations": ["*"]}, {"operation": "DELETE"}, True, id="any operation"),
        pytest.param({"apiGroups": ["batch"]}, {}, False, id="other group"),
        pytest.param({"apiGroups": ["*"]}, {}, True, id="any group"),
        pytest.param({"apiGroups": [""]}, {}, False, id="the core group is not any group"),
        pytest.param({"apiVersions": ["v2"]}, {}, False, id="other version"),
        pytest.param({"resources": ["pods"]}, {}, False, id="other resource"),
        pytest.param({"resources": ["*"]}, {}, True, id="any resource"),
        pytest.param({}, {"subresource": "status"}, False, id="a subresource is not its parent"),
        pytest.param({"resources": ["*"]}, {"subresource": "status"}, False, id="star has no sub"),
        pytest.param({"resources": ["*/*"]}, {"subresource": "status"}, True, id="everything"),
        pytest.param({"resources": ["*/*"]}, {}, True, id="everything has the parent too"),
        pytest.param(
            {"resources": ["deployments/*"]}, {"subresource": "scale"}, True, id="any subresource"
        ),
        pytest.param(
            {"resources": ["*/scale"]}, {"subresource": "scale"}, True, id="scale of anything"
        ),
        pytest.param({"scope": "Cluster"}, {}, False, id="cluster scope"),
        pytest.param({"scope": "Namespaced"}, {}, True, id="namespaced scope"),
        pytest.param({"scope": "Cluster"}, {"namespaced": False}, True, id="cluster object"),
    ],
)
def test_rules(rule: dict[str, Any], request_: dict[str, Any], expected: bool) -> None:
    assert concerned(a_webhook(a_rule(**rule)), **request_) is expected


def test_an_equivalent_version_is_found_unless_the_webhook_wants_exact_matches() -> None:
    kinds = [a_kind(version="v2"), a_kind(version="v1")]
    found = matching_version(a_webhook(), "CREATE", "", kinds=kinds, namespaced=True)
    assert found is kinds[1]
    assert not concerned(a_webhook(matchPolicy="Exact"), kinds=kinds)


def test_the_requested_version_comes_first() -> None:
    kinds = [a_kind(version="v2"), a_kind(version="v1")]
    webhook = a_webhook(a_rule(apiVersions=["v1"]), a_rule(apiVersions=["v2"]))
    assert matching_version(webhook, "CREATE", "", kinds=kinds, namespaced=True) is kinds[0]


def test_object_selectors_look_at_the_new_and_the_old_object() -> None:
    webhook = a_webhook(objectSelector={"matchLabels": {"a": "b"}})
    labelled = {"metadata": {"labels": {"a": "b"}}}
    assert selects_objects(webhook, labelled, None)
    assert selects_objects(webhook, {"metadata": {}}, labelled)
    assert not selects_objects(webhook, {"metadata": {}}, None)
    assert selects_objects(a_webhook(), None, None)


def test_webhook_configurations_are_never_subject_to_webhooks() -> None:
    group = "admissionregistration.k8s.io"
    assert is_exempt(a_kind(group=group, plural="mutatingwebhookconfigurations"))
    assert not is_exempt(a_kind())


def test_addresses_are_shown_as_the_configuration_names_them() -> None:
    by_url = a_webhook(clientConfig={"url": "https://localhost:1234/x"})
    service = {"namespace": "n", "name": "s", "path": "/x"}
    by_service = a_webhook(clientConfig={"service": service})
    assert by_url.target.address() == "https://localhost:1234/x"
    assert by_service.target.address() == "https://s.n.svc:443/x"
