from __future__ import annotations

from typing import Any

import pytest

from hearth.kube.controllerspec import Source
from hearth.kube.meta import Key, Object
from hearth.kube.testing import FakeLister, an_object
from serving.api import keys
from serving.kinds import sources


def a_route(title: str, *traffic: dict[str, Any]) -> Object:
    return an_object(title, spec={"traffic": list(traffic)})


def marked(title: str, routes: str = "", **labels: str) -> Object:
    own = {f"{keys.SERVING_GROUP}/{key}": value for key, value in labels.items()}
    obj = an_object(title, labels=own)
    obj["metadata"]["annotations"] = {keys.ROUTES: routes} if routes else {}
    return obj


ROUTES = (
    a_route("latest", {"configurationName": "c", "latestRevision": True}),
    a_route("pinned", {"revisionName": "c-1", "percent": 90}, {"revisionName": "c-2"}),
    a_route("empty"),
)


@pytest.mark.parametrize(
    ("revision", "routes"),
    [
        pytest.param(marked("c-1", configuration="c"), {"latest", "pinned"}, id="both-ways"),
        pytest.param(marked("c-3", configuration="c"), {"latest"}, id="by-configuration"),
        pytest.param(marked("c-2"), {"pinned"}, id="by-name"),
        pytest.param(marked("d-1", "gone,latest"), {"gone", "latest"}, id="by-its-mark"),
        pytest.param(marked("d-1"), set(), id="nobody"),
    ],
)
def test_routes_that_a_revision_concerns(revision: Object, routes: set[str]) -> None:
    lister = FakeLister({sources.ROUTES: ROUTES})
    assert set(sources.routes_of_revision(lister, revision)) == {("ns", r) for r in routes}


@pytest.mark.parametrize(
    ("configuration", "routes"),
    [
        pytest.param(marked("c"), {"latest"}, id="led-to"),
        pytest.param(marked("c", "other"), {"latest", "other"}, id="led-to-and-marked"),
        pytest.param(marked("d"), set(), id="nobody"),
    ],
)
def test_routes_that_a_configuration_concerns(configuration: Object, routes: set[str]) -> None:
    lister = FakeLister({sources.ROUTES: ROUTES})
    expected = {("ns", route) for route in routes}
    assert set(sources.routes_of_configuration(lister, configuration)) == expected


@pytest.mark.parametrize(
    "source", [sources.DEPLOYMENTS, sources.PODS, sources.HPAS], ids=lambda s: s.resource.kind
)
def test_only_the_workload_of_revisions_is_cached(source: Source) -> None:
    assert source.label_selector in (keys.REVISION, keys.REVISION_UID)


def test_a_key_of_another_namespace_is_another_one() -> None:
    other: Key = ("elsewhere", "latest")
    assert FakeLister({sources.ROUTES: ROUTES}).get(sources.ROUTES, *other) is None
