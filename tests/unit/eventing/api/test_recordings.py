"""Defaulting and validation against what real Knative's webhooks answered."""

import copy

import pytest

from eventing.api.admission import admission_of
from eventing.api.catalog import SERVED
from eventing.api.settings import BrokerDefaults, Features, Settings
from hearth.cluster.crd.shaping import prune
from hearth.knative.admission import decisions
from hearth.kube.admission import CREATE, UPDATE, AdmissionRequest
from hearth.kube.crdgen import crd_object
from hearth.kube.patch import merge_patch
from tests.recordings import EVENTING_EXCHANGES, exchanges

DEFINITIONS = SERVED
KINDS = admission_of(DEFINITIONS).by_kind()
SETTINGS = Settings(BrokerDefaults.from_data({}), Features.from_data({}))
BY_PLURAL = {each.crd.plural: each for each in DEFINITIONS}
BY_API_SERVER = {"jobsink bad job"}
"""Refused by the API server, which is asked whether it would take the Job."""
DENIED = 'admission webhook "validation.{}.eventing.knative.dev" denied the request: '


def plural_of(row):
    return row["path"].partition("/golden/")[2].partition("?")[0].partition("/")[0]


def rows():
    for row in exchanges(EVENTING_EXCHANGES):
        if plural_of(row) in BY_PLURAL:
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
    resource = BY_PLURAL[plural_of(row)].kind.resource
    return AdmissionRequest(
        uid="1",
        group=resource.group,
        version=resource.version,
        kind=obj["kind"],
        resource="",
        operation=operation,
        namespace="golden",
        username="admin",
        object=obj,
        old_object=old,
    )


SCHEMAS = {
    plural: crd_object(each.crd)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for plural, each in BY_PLURAL.items()
}
"""What the API server does not know never reaches a webhook."""


def stored_objects():
    return {
        f"{row['path']}/{row['body']['metadata']['name']}": row["response"]
        for row in rows()
        if row["method"] == "POST" and "dryRun" not in row["path"]
    }


def test_all_recorded_kinds_are_known():
    """But for what is not eventing's: namespaces and ConfigMaps."""
    others = [row for row in exchanges(EVENTING_EXCHANGES) if plural_of(row) not in BY_PLURAL]
    assert others
    assert all(row["path"].startswith("/api/v1/") for row in others)
    assert len(list(rows())) == 113


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in rows()])
def test_answers_as_knative(row):
    asked = request_of(row, stored_objects())
    prune(asked.object, SCHEMAS[plural_of(row)], is_resource=True)
    mutated = decisions.default(KINDS, asked, SETTINGS)
    if mutated.allowed and mutated.changed is not None:
        asked = AdmissionRequest(
            **{f: getattr(asked, f) for f in asked.__slots__} | {"object": mutated.changed}
        )
    verdict = decisions.validate(KINDS, asked, SETTINGS)[0] if mutated.allowed else mutated
    if row["status"] >= 400 and row["id"] not in BY_API_SERVER:
        webhook = BY_PLURAL[plural_of(row)].kind.webhook
        assert DENIED.format(webhook) + verdict.message == row["response"]["message"]
        assert verdict.code == row["status"]
        return
    assert verdict.allowed, verdict.message
    if row["id"] in BY_API_SERVER:
        return
    got, want = asked.object, row["response"]
    assert got["spec"] == want["spec"]
    for field in ("labels", "annotations"):
        assert got["metadata"].get(field) == want["metadata"].get(field)
