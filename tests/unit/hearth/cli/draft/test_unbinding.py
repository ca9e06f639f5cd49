"""Workloads as they were before bindings: what these put in is out, all else stays."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from eventing.kinds.binding import Bound, bind
from hearth.cli.draft.unbinding import unbound
from hearth.servicebinding.mapping import built_in
from hearth.servicebinding.projection import Projection, project

SHOP: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop", "annotations": {"mine": "kept"}},
    "spec": {
        "template": {
            "metadata": {"annotations": {"mine": "kept"}},
            "spec": {"containers": [{"name": "a", "env": [{"name": "WORD", "value": "x"}]}]},
        }
    },
}
TELLS = {
    "apiVersion": "sources.knative.dev/v1",
    "kind": "SinkBinding",
    "metadata": {"name": "tells"},
    "spec": {"subject": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}},
}


def without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        shown = {key: without_empty(inner) for key, inner in value.items()}
        return {key: inner for key, inner in shown.items() if inner not in ({}, [])}
    return [without_empty(each) for each in value] if isinstance(value, list) else value


def test_what_bindings_put_in_is_out() -> None:
    projection = Projection("1-2", "db", "db-secret", "postgresql", env=[("PGHOST", "host")])
    bound = project(SHOP, projection, built_in("deployments.apps"), "v1")
    bound = bind(bound, Bound("http://broker"))
    assert bound != SHOP
    assert without_empty(unbound([bound, TELLS])) == [SHOP, TELLS]


def test_a_sink_that_somebody_set_by_hand_stays() -> None:
    mine = deepcopy(SHOP)
    mine["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "K_SINK", "value": "x"}]
    assert unbound([mine]) == [mine]
