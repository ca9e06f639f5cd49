"""Defaulting and validation against what real Knative's webhooks answered."""

import copy

import pytest

from eventing.api.admission import ADMISSION
from eventing.api.crds import CRDS
from eventing.api.settings import BrokerDefaults, Features, Settings
from hearth.cluster.crd.shaping import prune
from hearth.knative.admission import decisions
from hearth.kube.admission import CREATE, UPDATE, AdmissionRequest
from hearth.kube.crdgen import crd_object
from hearth.kube.patch import merge_patch
from tests.recordings import EVENTING_EXCHANGES, exchanges

KINDS = ADMISSION.by_kind()
SETTINGS = Settings(BrokerDefaults.from_data({}), Features.from_data({}))
DENIED = 'admission webhook "validation.webhook.eventing.knative.dev" denied the request: '


def rows():
    for row in exchanges(EVENTING_EXCHANGES):
        if "/brokers" in row["path"] or "/triggers" in row["path"]:
            yield row


def request_of(row, stored):
    obj, old = row["body"], None
    operation = CREATE
    if row["method"] == "PATCH":
        operation = UPDATE
        old = stored[row["path"]]
        obj = merge_patch(copy.deepcopy(old), row["body"])
    else:
        obj = copy.deepcopy(obj)
        obj["metadata"]["namespace"] = "golden"
    return AdmissionRequest(
        uid="1",
        group="eventing.knative.dev",
        version="v1",
        kind=obj["kind"],
        resource="",
        operation=operation,
        namespace="golden",
        username="admin",
        object=obj,
        old_object=old,
    )


SCHEMAS = {
    crd.kind: crd_object(crd)["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for crd in CRDS
}
"""What the API server does not know never reaches a webhook."""


def stored_objects():
    return {
        f"{row['path']}/{row['body']['metadata']['name']}": row["response"]
        for row in rows()
        if row["method"] == "POST" and "dryRun" not in row["path"]
    }


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in rows()])
def test_answers_as_knative(row, request):
    asked = request_of(row, stored_objects())
    prune(asked.object, SCHEMAS[asked.kind], is_resource=True)
    mutated = decisions.default(KINDS, asked, SETTINGS)
    if mutated.allowed and mutated.changed is not None:
        asked = AdmissionRequest(
            **{f: getattr(asked, f) for f in asked.__slots__} | {"object": mutated.changed}
        )
    verdict = decisions.validate(KINDS, asked, SETTINGS)[0] if mutated.allowed else mutated
    if row["status"] >= 400:
        assert DENIED + verdict.message == row["response"]["message"]
        assert verdict.code == row["status"]
        return
    assert verdict.allowed, verdict.message
    got, want = asked.object, row["response"]
    assert got["spec"] == want["spec"]
    for field in ("labels", "annotations"):
        assert got["metadata"].get(field) == want["metadata"].get(field)
