from __future__ import annotations

import pytest

from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model.objects import Object
from hearth.cluster.model.status import ApiStatus
from hearth.cluster.rest.scaling import make_scale, replicas_of, set_replicas

DEPLOYMENTS = next(kind for kind in KINDS if kind.plural == "deployments")


def a_deployment(replicas: int) -> Object:
    return {
        "metadata": {"name": "d", "namespace": "n", "labels": {"not": "shown"}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "d"}}},
        "status": {"replicas": 2},
    }


def test_a_scale_shows_what_is_asked_for_and_what_is_there() -> None:
    scale = make_scale(DEPLOYMENTS, a_deployment(3))
    assert scale["metadata"] == {"name": "d", "namespace": "n"}
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 2, "selector": "app=d"}


def test_zero_is_left_out() -> None:
    assert make_scale(DEPLOYMENTS, a_deployment(0))["spec"] == {}


def test_replicas_are_written_where_the_kind_keeps_them() -> None:
    assert set_replicas(DEPLOYMENTS, a_deployment(1), 5)["spec"]["replicas"] == 5


def test_negative_replicas_are_refused() -> None:
    with pytest.raises(ApiStatus, match="must be greater than or equal to 0"):
        replicas_of({"spec": {"replicas": -1}}, "d")
