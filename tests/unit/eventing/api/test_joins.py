"""What the annotations of a join may say, and where a join has no place."""

import pytest

from eventing.api.admission import ADMISSION
from eventing.api.joins import (
    JOIN,
    JOIN_TIMEOUT,
    JoinBranch,
    JoinOptions,
    check_join,
)
from eventing.api.settings import Settings
from hearth.knative.admission import decisions
from hearth.knative.resources import PARALLELS
from hearth.kube.admission import AdmissionRequest
from hearth.kube.meta import Object

TEMPLATE = {"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel"}
SPEC: Object = {
    "channelTemplate": TEMPLATE,
    "branches": [{"subscriber": {"uri": "http://one"}}],
    "reply": {"uri": "http://end"},
}


def complaints(annotations, **changes):
    spec = {field: value for field, value in (SPEC | changes).items() if value is not None}
    obj: Object = {
        "apiVersion": PARALLELS.api_version,
        "kind": PARALLELS.kind,
        "metadata": {"name": "p", "namespace": "ns", "annotations": annotations},
        "spec": spec,
    }
    asked = AdmissionRequest(
        uid="u",
        group=PARALLELS.group,
        version=PARALLELS.version,
        kind=PARALLELS.kind,
        resource=PARALLELS.plural,
        operation="CREATE",
        name="p",
        namespace="ns",
        username="somebody",
        object=obj,
    )
    answer, _ = decisions.validate(ADMISSION.by_kind(), asked, Settings())
    return "" if answer.allowed else answer.message


def test_what_is_asked_for():
    assert JoinOptions.from_annotations({}) is None
    assert JoinOptions.from_annotations({JOIN: "data"}) == JoinOptions("data", 60.0)
    given = {JOIN: "events", JOIN_TIMEOUT: "PT1H"}
    assert JoinOptions.from_annotations(given) == JoinOptions("events", 3600.0)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({JOIN: "all"}, JOIN),
        ({JOIN: ""}, JOIN),
        ({JOIN: "data", JOIN_TIMEOUT: "soon"}, JOIN_TIMEOUT),
        ({JOIN: "data", JOIN_TIMEOUT: "PT0S"}, JOIN_TIMEOUT),
        ({JOIN: "data", JOIN_TIMEOUT: "PT25H"}, JOIN_TIMEOUT),
    ],
)
def test_what_cannot_be_read_is_named(given, named):
    [error] = check_join(given)
    assert error.paths == (f"metadata.annotations.{named}",)
    assert named in complaints(given)


def test_what_parts_are_told_is_read_as_it_was_written():
    options = JoinOptions("data", 5.0, 3, "/p")
    assert JoinOptions.from_json(options.to_json()) == options
    branch = JoinBranch("c", 1, is_last=True, is_filter=False)
    assert JoinBranch.from_json(branch.to_json()) == branch


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", '{"shape": "data", "more": 1}'])
def test_nothing_else_is_read(text):
    with pytest.raises(ValueError):
        JoinOptions.from_json(text)
    with pytest.raises(ValueError):
        JoinBranch.from_json(text)


def test_a_join_needs_a_place_for_all_replies():
    asked = {JOIN: "data"}
    assert complaints(asked) == ""
    assert "spec.reply" in complaints(asked, reply=None)
    own = [{"subscriber": {"uri": "http://one"}, "reply": {"uri": "http://two"}}]
    assert "spec.branches[0].reply" in complaints(asked, branches=own)
    assert complaints({}, branches=own) == ""
    foreign = {**TEMPLATE, "kind": "KafkaChannel"}
    assert "spec.channelTemplate.kind" in complaints(asked, channelTemplate=foreign)
    batches = asked | {"eventing.hearth.dev/batch-size": "10"}
    assert "batch-size" in complaints(batches)
