from __future__ import annotations

import pytest

from hearth.cluster.codec.paths import Target, all_values, flag, parse_query, parse_target


@pytest.mark.parametrize(
    ("path", "target"),
    [
        pytest.param("/api/v1/pods", Target("", "v1", "pods"), id="all namespaces"),
        pytest.param(
            "/api/v1/namespaces/a/pods", Target("", "v1", "pods", "a"), id="one namespace"
        ),
        pytest.param(
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            Target("apps", "v1", "deployments", "a", "d", "scale"),
            id="subresource",
        ),
        pytest.param("/api/v1/namespaces", Target("", "v1", "namespaces"), id="namespaces"),
        pytest.param(
            "/api/v1/namespaces/a", Target("", "v1", "namespaces", "", "a"), id="a namespace"
        ),
        pytest.param(
            "/api/v1/namespaces/a/status",
            Target("", "v1", "namespaces", "", "a", "status"),
            id="status of a namespace",
        ),
        pytest.param(
            "/apis/x.io/v1/namespaces/a/status",
            Target("x.io", "v1", "status", "a"),
            id="a custom resource called status",
        ),
        pytest.param(
            "/api/v1/namespaces/a/configmaps/b%2Fc",
            Target("", "v1", "configmaps", "a", "b/c"),
            id="quoted",
        ),
        pytest.param("/api/v1", None, id="discovery"),
        pytest.param("/apis/apps/v1", None, id="group discovery"),
        pytest.param("/healthz", None, id="health"),
        pytest.param("/api/v1/namespaces/a/pods/p/log/x", None, id="too long"),
        pytest.param("/api/v1/namespaces//pods", None, id="empty part"),
    ],
)
def test_what_a_path_names(path: str, target: Target | None) -> None:
    assert parse_target(path) == target


def test_a_query_keeps_the_first_value_of_each_parameter() -> None:
    assert parse_query("a=1&a=2&b=x+y%2B&c") == {"a": "1", "b": "x y+", "c": ""}


def test_a_repeated_parameter_has_all_its_values() -> None:
    assert all_values("dryRun=All&dryRun=Some&x=1", "dryRun") == ["All", "Some"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("watch=1", True), ("watch", True), ("watch=true", True), ("watch=0", False), ("", False)],
)
def test_flags(query: str, expected: bool) -> None:
    assert flag(parse_query(query), "watch") is expected
