"""managedFields recorded from a real kube-apiserver, computed again from the objects alone."""

import copy
from typing import Any

import pytest

from hearth.cluster.fields.updates import reset_fields, track_update
from hearth.cluster.model.typetable import struct
from tests.recordings import KUBERNETES_EXCHANGES, exchanges

PACKAGES = {
    "v1": "core/v1",
    "apps/v1": "apps/v1",
    "coordination.k8s.io/v1": "coordination/v1",
    "discovery.k8s.io/v1": "discovery/v1",
    "autoscaling/v2": "autoscaling/v2",
    "apiextensions.k8s.io/v1": "apiextensions/v1",
}
# Ownership is recorded before admission and allocation add to these, so that the object in the
# answer holds more than was owned at the time.
COMPLETED_LATER = {"Pod", "Service", "Namespace"}


def recorded_creates() -> list[Any]:
    params = []
    for exchange in exchanges(KUBERNETES_EXCHANGES):
        answer = exchange["response"]
        if exchange["method"] != "POST" or exchange["status"] != 201:
            continue
        if answer["apiVersion"] in PACKAGES and answer["kind"] not in COMPLETED_LATER:
            params.append(pytest.param(answer, id=exchange["id"]))
    return params


@pytest.mark.parametrize("answer", recorded_creates())
def test_a_recorded_create(answer: dict[str, Any]) -> None:
    obj = copy.deepcopy(answer)
    recorded = obj["metadata"].pop("managedFields", [])
    tracked = track_update(
        None,
        obj,
        schema=struct(PACKAGES[obj["apiVersion"]], obj["kind"]).schema,
        manager="Python-urllib",
        api_version=obj["apiVersion"],
        now="<time>",
        reset=reset_fields("", has_status="status" in obj),
    )
    assert tracked == recorded
