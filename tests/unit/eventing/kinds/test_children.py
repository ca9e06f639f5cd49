"""What our controllers make of what was admitted, admission would take and leave as it is.

So API servers need not ask about it: see ``Endpoint.trusted_user``.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from eventing.api import keys
from eventing.api.admission import ADMISSION
from eventing.api.deliveryoptions import ORDER, UNDELIVERABLE, given_options
from eventing.api.joins import (
    JOIN,
    JOIN_BRANCH,
    JOIN_MARKS,
    JOIN_OF,
    JOIN_TIMEOUT,
    JoinBranch,
    JoinOptions,
)
from eventing.api.settings import Settings
from eventing.kinds import channel as channels
from eventing.kinds import containersource as containersources
from eventing.kinds import parallel as parallels
from eventing.kinds import sequence as sequences
from eventing.kinds.children import handed_on, is_of_ours
from eventing.kinds.flowparts import ObservedFlow, Parts
from eventing.kinds.settings import ControlSettings
from hearth.knative.admission import decisions
from hearth.knative.resources import (
    CHANNELS,
    CONTAINERSOURCES,
    INMEMORYCHANNELS,
    PARALLELS,
    SEQUENCES,
)
from hearth.kube.admission import AdmissionRequest
from hearth.kube.meta import Object, name, namespace
from hearth.kube.plan import Create, Update

KINDS = ADMISSION.by_kind()
SETTINGS = Settings()
CONTROL = ControlSettings("http://h", frozenset())
SERVICE: Object = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "one"}}
DELIVERY: Object = {"retry": 3, "deadLetterSink": SERVICE}
TEMPLATE: Object = {"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel"}


def channel(obj):
    return channels.reconcile(channels.Observed(obj, None), settings=CONTROL, now=0)


def sequence(obj):
    names = [f"it-kn-sequence-{number}" for number in range(len(obj["spec"]["steps"]))]
    parts = Parts(dict.fromkeys(names), dict.fromkeys(names))
    return sequences.reconcile(ObservedFlow(obj, parts), settings=CONTROL, now=0)


def parallel(obj):
    parts = Parts({}, {})
    return parallels.reconcile(ObservedFlow(obj, parts), settings=CONTROL, now=0)


def container_source(obj):
    observed = containersources.Observed(obj, None, None)
    return containersources.reconcile(observed, settings=CONTROL, now=0)


PODS: Object = {"spec": {"containers": [{"name": "c", "image": "it"}]}}
CASES: list[Any] = [
    (CONTAINERSOURCES, container_source, {"template": PODS, "sink": SERVICE}),
    (
        CONTAINERSOURCES,
        container_source,
        {"template": PODS, "sink": {"uri": "http://s"}, "ceOverrides": {"extensions": {"a": "b"}}},
    ),
    (CHANNELS, channel, {}),
    (CHANNELS, channel, {"delivery": DELIVERY}),
    (CHANNELS, channel, {"delivery": DELIVERY, "channelTemplate": TEMPLATE}),
    (
        CHANNELS,
        channel,
        {"channelTemplate": {**TEMPLATE, "spec": {"delivery": {"timeout": "PT1S"}}}},
    ),
    (
        SEQUENCES,
        sequence,
        {
            "channelTemplate": {**TEMPLATE, "spec": {"delivery": DELIVERY}},
            "steps": [{**SERVICE, "delivery": DELIVERY}, {"uri": "http://two"}],
            "reply": SERVICE,
        },
    ),
    (SEQUENCES, sequence, {"steps": [SERVICE]}),
    (
        PARALLELS,
        parallel,
        {
            "branches": [
                {"filter": SERVICE, "subscriber": SERVICE, "delivery": DELIVERY},
                {"subscriber": SERVICE, "reply": {"uri": "http://two"}},
            ],
            "reply": SERVICE,
        },
    ),
]


JOINED: Object = {
    "channelTemplate": TEMPLATE,
    "branches": [{"filter": SERVICE, "subscriber": SERVICE}, {"subscriber": SERVICE}],
    "reply": {"uri": "http://end"},
}


def request(resource, obj):
    return AdmissionRequest(
        uid="u",
        group=resource.group,
        version=resource.version,
        kind=resource.kind,
        resource=resource.plural,
        operation="CREATE",
        name=name(obj),
        namespace=namespace(obj),
        username="system:serviceaccount:knative-serving:hearth-control",
        object=obj,
    )


def admitted(resource, spec, annotations: Mapping[str, str] | None = None):
    """An object of a user's as the server stores it."""
    given = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": "it", "namespace": "ns", "annotations": dict(annotations or {})},
        "spec": copy.deepcopy(spec),
    }
    answer = decisions.default(KINDS, request(resource, given), SETTINGS)
    assert answer.changed is not None, answer.message
    judged, _ = decisions.validate(KINDS, request(resource, answer.changed), SETTINGS)
    assert judged.allowed, judged.message
    return {**answer.changed, "metadata": {**answer.changed["metadata"], "uid": "u"}}


def without_user(obj):
    """An object without the note of who made it."""
    metadata = dict(obj["metadata"])
    annotations = metadata.pop("annotations", {})
    kept = {k: v for k, v in annotations.items() if not k.endswith(("/creator", "/lastModifier"))}
    return {**obj, "metadata": metadata | ({"annotations": kept} if kept else {})}


ASKED: Object = {ORDER: "ordered", UNDELIVERABLE: "hold"}


@pytest.mark.parametrize(
    ("resource", "reconcile", "spec"),
    [
        (CHANNELS, channel, {"channelTemplate": TEMPLATE}),
        (SEQUENCES, sequence, {"channelTemplate": TEMPLATE, "steps": [SERVICE, SERVICE]}),
        (PARALLELS, parallel, {"channelTemplate": TEMPLATE, "branches": [{"subscriber": SERVICE}]}),
    ],
)
def test_what_is_asked_of_deliveries_reaches_the_channels(resource, reconcile, spec):
    obj = admitted(resource, spec)
    obj["metadata"]["annotations"] = {**obj["metadata"].get("annotations", {}), **ASKED}
    made = [each.obj for each in reconcile(obj).actions if isinstance(each, Create)]
    channels_made = [each for each in made if each["kind"] == "InMemoryChannel"]
    assert channels_made
    for each in channels_made:
        assert given_options(each["metadata"]["annotations"]) == ASKED


def made_channel_with(annotations):
    metadata = {"name": "c", "namespace": "ns", "annotations": annotations}
    return {**TEMPLATE, "metadata": metadata}


def handed(known, wanted):
    """The annotations that a channel gets; none where nothing changes."""
    actions = handed_on(INMEMORYCHANNELS, made_channel_with(known), wanted)
    return [each.obj["metadata"]["annotations"] for each in actions if isinstance(each, Update)]


def test_a_channel_follows_what_is_asked_later():
    mark = keys.HANDED_ON_ANNOTATION
    assert handed({}, {}) == []
    assert handed({}, {ORDER: "ordered"}) == [{ORDER: "ordered", mark: ORDER}]
    known = {ORDER: "ordered", mark: ORDER, UNDELIVERABLE: "hold"}
    assert handed(known, {ORDER: "ordered"}) == []
    assert handed(known, {ORDER: "unordered"}) == [known | {ORDER: "unordered"}]
    # What somebody else has set stays.
    assert handed(known, {}) == [{UNDELIVERABLE: "hold"}]


def test_channels_of_other_kinds_are_left_alone():
    assert is_of_ours(TEMPLATE) and not is_of_ours({**TEMPLATE, "kind": "KafkaChannel"})
    going = made_channel_with({})
    going["metadata"]["deletionTimestamp"] = "now"
    assert handed_on(INMEMORYCHANNELS, going, {ORDER: "ordered"}) == ()


def created(plan):
    return [each for each in plan.actions if isinstance(each, Create)]


def test_a_join_adds_a_channel_and_what_leads_there_and_on():
    obj = admitted(PARALLELS, JOINED, {JOIN: "events", JOIN_TIMEOUT: "PT5S"})
    made = {(each.obj["kind"], name(each.obj)): each.obj for each in created(parallel(obj))}
    assert made.keys() == {
        *(("InMemoryChannel", f"it-kn-parallel{each}") for each in ("", "-0", "-1", "-join")),
        *(("Subscription", f"it-kn-parallel-{each}") for each in ("0", "1", "join", "joined")),
        *(("Subscription", f"it-kn-parallel-filter-{each}") for each in ("0", "1")),
    }

    def told(kind, title, annotation):
        return made[kind, title]["metadata"].get("annotations", {}).get(annotation)

    assert told("InMemoryChannel", "it-kn-parallel", JOIN_MARKS) == "true"
    assert told("InMemoryChannel", "it-kn-parallel-0", JOIN_MARKS) is None
    gathers = JoinOptions.from_json(told("InMemoryChannel", "it-kn-parallel-join", JOIN_OF))
    source = "/apis/flows.knative.dev/v1/namespaces/ns/parallels/it"
    assert gathers == JoinOptions("events", 5.0, 2, source)
    roles = [
        JoinBranch.from_json(told("Subscription", f"it-kn-parallel-{each}", JOIN_BRANCH))
        for each in ("filter-0", "filter-1", "0", "1")
    ]
    assert [(each.number, each.is_last, each.is_filter) for each in roles] == [
        (0, False, True),
        (1, False, False),
        (0, True, False),
        (1, True, False),
    ]
    gathering = {"ref": {**TEMPLATE, "name": "it-kn-parallel-join", "namespace": "ns"}}
    assert made["Subscription", "it-kn-parallel-0"]["spec"]["reply"] == gathering
    brings = made["Subscription", "it-kn-parallel-join"]["spec"]
    assert brings["channel"]["name"] == "it-kn-parallel"
    assert brings["subscriber"] == gathering
    sends = made["Subscription", "it-kn-parallel-joined"]["spec"]
    assert sends["channel"]["name"] == "it-kn-parallel-join"
    assert sends["subscriber"] == {"uri": "http://end"}


def test_without_the_annotation_nothing_is_joined():
    for each in created(parallel(admitted(PARALLELS, JOINED))):
        assert "-join" not in name(each.obj)
        assert "hearth" not in json.dumps(each.obj["metadata"])


@pytest.mark.parametrize(("resource", "reconcile", "spec"), [*CASES, (PARALLELS, parallel, JOINED)])
def test_nothing_is_added_to_what_controllers_make(resource, reconcile, spec):
    annotations = {JOIN: "data"} if spec is JOINED else {}
    made = created(reconcile(admitted(resource, spec, annotations)))
    assert made
    for child in made:
        asked = request(child.resource, child.obj)
        answer = decisions.default(KINDS, asked, SETTINGS)
        assert answer.allowed, answer.message
        assert without_user(answer.changed) == child.obj, child.resource.kind
        judged, _ = decisions.validate(KINDS, asked, SETTINGS)
        assert judged.allowed, f"{child.resource.kind}: {judged.message}"
