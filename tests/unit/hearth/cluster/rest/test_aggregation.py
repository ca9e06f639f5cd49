from __future__ import annotations

import pytest

from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model.aggregates import Aggregate, Aggregates
from hearth.cluster.model.served import ServedKinds
from hearth.cluster.model.user import User
from hearth.cluster.rest import discovery
from hearth.cluster.rest.aggregation import answered, find, group_items, sent_on

GROUP = "external.metrics.k8s.io"
METRICS = Aggregate(
    GROUP,
    "v1beta1",
    "keda",
    "metrics",
    443,
    is_available=True,
    resources=(
        {"name": "externalmetrics", "namespaced": True, "kind": "Values", "verbs": ["get"]},
        {"name": "externalmetrics/scale", "kind": "Scale", "group": "autoscaling", "verbs": []},
    ),
)


@pytest.fixture
def aggregates() -> Aggregates:
    found = Aggregates(ServedKinds(KINDS))
    found.put(METRICS)
    return found


@pytest.mark.parametrize(
    ("path", "is_sent_on"),
    [
        (f"/apis/{GROUP}/v1beta1", True),
        (f"/apis/{GROUP}/v1beta1/", True),
        (f"/apis/{GROUP}/v1beta1/namespaces/default/jobs%2Fx", True),
        (f"/openapi/v3/apis/{GROUP}/v1beta1", True),
        (f"/apis/{GROUP}", False),
        (f"/apis/{GROUP}/v1", False),
        ("/apis/apps/v1/deployments", False),
        ("/openapi/v3", False),
        (f"/apis/{GROUP}/v1beta1/../../../admin", False),
        (f"/apis/{GROUP}/v1beta1/%2e%2E/x", False),
    ],
)
def test_what_is_sent_on(aggregates: Aggregates, path: str, is_sent_on: bool) -> None:
    assert (find(aggregates, path) is METRICS) is is_sent_on


def test_nobody_takes_the_servers_own_groups(aggregates: Aggregates) -> None:
    aggregates.put(Aggregate("apps", "v1", "evil", "proxy", 443, is_available=True))
    assert find(aggregates, "/apis/apps/v1/deployments") is None
    assert "apps" not in group_items(aggregates)


def test_who_asks_is_told_by_this_server_alone() -> None:
    user = User("ann", uid="7", groups=("a", "b"), extra={"Team/x": ["blue"]})
    given = {
        "authorization": "Bearer secret",
        "x-remote-user": "admin",
        "x-remote-group": "system:masters",
        "accept": "application/json",
        "connection": "upgrade",
        "host": "here",
    }
    assert sent_on(given, user) == [
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("X-Remote-User", "ann"),
        ("X-Remote-Uid", "7"),
        ("X-Remote-Group", "a"),
        ("X-Remote-Group", "b"),
        ("X-Remote-Extra-team%2Fx", "blue"),
    ]
    assert answered({"ETag": "1", "Connection": "close", "Content-Length": "3"}) == (("etag", "1"),)


def test_discovery_lists_other_servers_last(aggregates: Aggregates) -> None:
    groups = discovery.group_list(aggregates)["groups"]
    assert groups[-1]["preferredVersion"]["groupVersion"] == f"{GROUP}/v1beta1"
    assert discovery.api_group(aggregates, GROUP) is not None
    [version] = group_items(aggregates)[GROUP]
    assert version["freshness"] == "Current"
    [resource] = version["resources"]
    assert resource["responseKind"] == {"group": GROUP, "version": "v1beta1", "kind": "Values"}
    assert resource["subresources"][0]["responseKind"]["group"] == "autoscaling"
    listed = discovery.aggregated(
        ServedKinds(KINDS), core=False, version="v2", elsewhere=group_items(aggregates)
    )
    assert listed["items"][-1]["metadata"]["name"] == GROUP


def test_groups_come_by_priority_and_versions_by_theirs() -> None:
    found = Aggregates(ServedKinds(KINDS))
    for group, version, of_group, of_version in (
        ("b.io", "v1", 100, 10),
        ("a.io", "v1", 100, 10),
        ("c.io", "v1", 900, 1),
        ("c.io", "v2", 900, 1),
        ("c.io", "v1alpha1", 900, 9),
    ):
        found.put(
            Aggregate(
                group, version, "n", "s", 443, group_priority=of_group, version_priority=of_version
            )
        )
    assert [(each.group, each.version) for each in found.all()] == [
        ("c.io", "v1alpha1"),
        ("c.io", "v2"),
        ("c.io", "v1"),
        ("a.io", "v1"),
        ("b.io", "v1"),
    ]
    found.drop(("c.io", "v2"))
    assert list(found.of_service("n", "s"))[-1] == ("c.io", "v1alpha1")
