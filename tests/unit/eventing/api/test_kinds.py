"""Rules of the kinds that the recordings have no exchange for, as upstream's sources have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eventing.api.admission import admission_of
from eventing.api.catalog import SERVED
from eventing.api.settings import BrokerDefaults, ChannelDefaults, Features, PingDefaults, Settings
from hearth.knative.admission import decisions
from hearth.kube.admission import CREATE, UPDATE, AdmissionRequest
from hearth.kube.crdgen import crd_object

DEFINITIONS = {each.kind.resource.kind: each for each in SERVED}
KINDS = admission_of(DEFINITIONS.values()).by_kind()
SETTINGS = Settings()
ALL_FLAGS = Settings(
    features=Features.from_data(
        dict.fromkeys(
            (
                "authentication-oidc",
                "new-apiserversource-filters",
                "cross-namespace-event-links",
            ),
            "enabled",
        )
    )
)
REF = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "s"}}
ELSEWHERE = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "s", "namespace": "b"}}
TEMPLATE = {"apiVersion": "messaging.knative.dev/v1", "kind": "InMemoryChannel"}


def asked(
    kind: str, spec: dict[str, Any], *, old: dict[str, Any] | None = None, **metadata: Any
) -> AdmissionRequest:
    resource = DEFINITIONS[kind].kind.resource
    head = {"apiVersion": f"{resource.group}/{resource.version}", "kind": kind}
    meta = {"name": "x", "namespace": "ns", **metadata}
    before = None if old is None else {**head, "metadata": meta, "spec": old}
    return AdmissionRequest(
        uid="1",
        group=resource.group,
        version=resource.version,
        kind=kind,
        resource=resource.plural,
        operation=CREATE if old is None else UPDATE,
        namespace="ns",
        username="admin",
        object={**head, "metadata": meta, "spec": spec},
        old_object=before,
    )


def said(request: AdmissionRequest, settings: Settings = SETTINGS) -> str:
    mutated = decisions.default(KINDS, request, settings)
    if mutated.changed is None:
        return mutated.message
    fields = {name: getattr(request, name) for name in request.__slots__}
    completed = AdmissionRequest(**fields | {"object": mutated.changed})
    return decisions.validate(KINDS, completed, settings)[0].message


def completed(kind: str, spec: dict[str, Any], settings: Settings = SETTINGS) -> dict[str, Any]:
    changed = decisions.default(KINDS, asked(kind, spec), settings).changed
    assert changed is not None
    found: dict[str, Any] = changed["spec"]
    return found


FAILED = "validation failed: "


@pytest.mark.parametrize(
    ("kind", "spec", "complaint"),
    [
        (
            "Channel",
            {"channelTemplate": {}, "subscribers": [{"uid": "a"}]},
            "missing field(s): spec.channelTemplate.apiVersion, spec.channelTemplate.kind\n"
            "must not set the field(s): spec.subscribable.subscribers",
        ),
        (
            "Channel",
            {"delivery": {"deadLetterSink": ELSEWHERE}},
            "mismatched namespaces: spec.delivery.deadLetterSink.ref.namespace\n"
            'parent namespace: "ns" does not match ref: "b"',
        ),
        (
            "Subscription",
            {"subscriber": REF},
            "missing field(s): spec.channel\nthe Subscription must reference a channel",
        ),
        (
            "Subscription",
            {"channel": {"name": "c"}, "subscriber": REF, "reply": {"uri": "/a"}},
            "invalid value: Relative URI is not allowed when Ref and [apiVersion, kind, name] is "
            "absent: spec.reply.uri\n"
            "missing field(s): spec.channel.apiVersion, spec.channel.kind",
        ),
        (
            "Sequence",
            {"steps": [REF, {"ref": {"name": "s"}, "delivery": {"retry": 1}}]},
            "invalid value: {{Kind = , Namespace = ns, Name = s, APIVersion = , Group = , "
            "Address =   <nil> <nil>} 0x0}: spec.steps[1]",
        ),
        (
            "Parallel",
            {"branches": [{"filter": {"uri": "x"}, "subscriber": {}}]},
            "invalid value: {0x0 {<nil>  <nil> <nil>} <nil> <nil>}: spec.branches.filter[0], "
            "spec.branches.subscriber[0]",
        ),
        ("Parallel", {"branches": []}, "missing field(s): spec.branches"),
        (
            "PingSource",
            {"sink": REF, "schedule": "@every 5s"},
            "invalid value: unsupported descriptor @every: spec.schedule",
        ),
        (
            "PingSource",
            {"sink": REF, "schedule": "61 * * * *"},
            "invalid value: end of range (61) above maximum (59): 61: spec.schedule",
        ),
        (
            "PingSource",
            {"sink": REF, "contentType": "application/json", "dataBase64": "WzFd"},
            "invalid value: json: cannot unmarshal array into Go value of type "
            "map[string]interface {}: spec.dataBase64",
        ),
        (
            "ApiServerSource",
            {"sink": REF, "owner": {"apiVersion": "a/b/c", "kind": " "}, "filters": [{}]},
            "Filters is not empty but the NewAPIServerFilters feature is disabled.: \n"
            "invalid value: a/b/c: spec.owner.apiVersion\n"
            "missing field(s): spec.owner.kind, spec.resources",
        ),
        (
            "ContainerSource",
            {"sink": REF, "template": {"spec": {"containers": [{}]}}},
            "missing field(s): spec.containers[0].image",
        ),
        (
            "SinkBinding",
            {"sink": REF, "subject": {"apiVersion": "v1", "kind": "Pod", "namespace": "b"}},
            "expected exactly one, got neither: spec.subject.name, spec.subject.selector\n"
            "invalid value: b: spec.subject.namespace",
        ),
        (
            "SinkBinding",
            {
                "sink": REF,
                "subject": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]},
                },
            },
            'invalid value: "Near" is not a valid label selector operator: spec.subject.selector',
        ),
        (
            "IntegrationSource",
            {"sink": REF, "timer": {"message": "a"}, "aws": {"s3": {"arn": "a"}}},
            "only one source type can be set: spec.spec",
        ),
        (
            "IntegrationSource",
            {"sink": REF, "aws": {"ddbStreams": {}}},
            "missing field(s): spec.aws.auth.secret.ref.name, spec.aws.ddb-streams.region, "
            "spec.aws.ddb-streams.table",
        ),
        ("IntegrationSink", {}, "at least one sink type must be specified: spec.spec"),
        ("JobSink", {}, "expected exactly one, got neither: spec.job"),
        ("EventTransform", {}, "expected exactly one, got neither: spec.jsonata"),
        (
            "EventTransform",
            {"jsonata": {"expression": "a"}, "reply": {"discard": True}},
            "reply is set without spec.sink: spec.reply",
        ),
        (
            "EventTransform",
            {"jsonata": {}, "sink": REF, "reply": {"jsonata": {}, "discard": True}},
            "expected exactly one, got both: spec.reply.discard, spec.reply.jsonata",
        ),
        (
            "RequestReply",
            {"brokerRef": {"apiVersion": "v1", "kind": "Thing", "name": "b", "namespace": "ns"}},
            "invalid value: Thing: spec.brokerRef.kind\nbrokerRef kind must be Broker\n"
            "must not set the field(s): spec.brokerRef.namespace",
        ),
        ("EventPolicy", {}, "oidc-authentication feature not enabled: "),
    ],
)
def test_what_is_refused(kind: str, spec: dict[str, Any], complaint: str) -> None:
    assert said(asked(kind, spec)) == FAILED + complaint


def test_policies_are_checked_where_identities_are() -> None:
    spec = {
        "from": [{"sub": "a*b"}, {"ref": {"kind": "PingSource"}, "sub": "x"}],
        "to": [{}, {"selector": {"kind": "Broker"}}],
        "filters": [{"exact": {"A": "x"}}],
    }
    assert said(asked("EventPolicy", spec), ALL_FLAGS) == FAILED + (
        "expected exactly one, got both: spec.from[1].ref, spec.from[1].sub\n"
        "expected exactly one, got neither: spec.to[0].ref, spec.to[0].selector\n"
        'invalid key name "A": spec.filters[0].exact[A]\n'
        "Attribute name must start with a letter and can only contain lowercase alphanumeric\n"
        "invalid value: a*b: spec.from[0].sub\n'*' is only allowed as suffix\n"
        "missing field(s): spec.from[1].ref.apiVersion, spec.from[1].ref.name"
    )


@pytest.mark.parametrize(
    ("kind", "old", "new", "diff"),
    [
        (
            "Channel",
            {"channelTemplate": TEMPLATE},
            {"channelTemplate": {**TEMPLATE, "kind": "KafkaChannel"}},
            '{v1.ChannelSpec}.ChannelTemplate.Kind:\n\t-: "InMemoryChannel"\n\t+: "KafkaChannel"\n',
        ),
        (
            "Subscription",
            {"channel": {"apiVersion": "v1", "kind": "C", "name": "a"}, "subscriber": REF},
            {"channel": {"apiVersion": "v1", "kind": "C", "name": "b"}, "subscriber": REF},
            '{v1.SubscriptionSpec}.Channel.Name:\n\t-: "a"\n\t+: "b"\n',
        ),
    ],
)
def test_what_cannot_be_changed(
    kind: str, old: dict[str, Any], new: dict[str, Any], diff: str
) -> None:
    message = said(asked(kind, new, old=old))
    assert message == f"{FAILED}Immutable fields changed (-old +new): spec\n{diff}"


def test_subscribers_and_replies_may_be_changed() -> None:
    channel = {"channel": {"apiVersion": "v1", "kind": "C", "name": "a"}}
    new = {**channel, "subscriber": {"uri": "http://a"}, "reply": REF}
    assert said(asked("Subscription", new, old={**channel, "subscriber": REF})) == ""


def test_defaults() -> None:
    settings = Settings(
        channels=ChannelDefaults.from_data(
            {"default-ch-config": "namespaceDefaults: {ns: {apiVersion: v1, kind: Own}}"}
        )
    )
    assert completed("Channel", {}, settings)["channelTemplate"]["kind"] == "Own"
    assert completed("RequestReply", {"brokerRef": {"name": "b"}}) == {
        "brokerRef": {"kind": "", "name": "b"},
        "correlationAttribute": "correlationid",
        "replyAttribute": "replyid",
        "timeout": "PT30S",
    }
    pod = {"containers": [{"image": "a", "resources": {"limits": {"cpu": "1000m"}}}, {}]}
    source = completed("ContainerSource", {"sink": REF, "template": {"spec": pod}})
    assert source["template"]["spec"]["containers"] == [
        {"name": "x-0", "image": "a", "resources": {"limits": {"cpu": "1"}}},
        {"name": "x-1", "resources": {}},
    ]
    attributes = [{"name": "type", "value": "t"}, {"name": "own", "required": True}]
    kept = completed("EventType", {"attributes": attributes})["attributes"]
    assert [each["name"] for each in kept] == ["specversion", "id", "type", "source", "own"]
    policy = completed("EventPolicy", {"from": [{"ref": {"kind": "A", "name": "b"}}]})
    assert policy["from"][0]["ref"]["namespace"] == "ns"


def test_a_broker_gets_the_whole_default_delivery() -> None:
    delivery = {"retry": 3, "timeout": "PT5S", "format": "json"}
    data = {"default-br-config": json.dumps({"clusterDefault": {"delivery": delivery}})}
    settings = Settings(brokers=BrokerDefaults.from_data(data))
    assert completed("Broker", {}, settings)["delivery"] == delivery


def test_how_much_a_ping_source_may_send() -> None:
    settings = Settings(pings=PingDefaults.from_data({"data-max-size": "3"}))
    message = said(asked("PingSource", {"sink": REF, "data": "abcd"}), settings)
    limit = "the data length of 4 bytes exceeds limit set at 3."
    assert message == f"{FAILED}invalid value: {limit}: spec.data"


@pytest.mark.parametrize("kind", sorted(DEFINITIONS))
def test_a_member_that_nobody_knows_is_refused(kind: str) -> None:
    assert 'json: unknown field "unheard"' in said(asked(kind, {"unheard": 1}))


@pytest.mark.parametrize("kind", sorted(DEFINITIONS))
def test_the_definition_is_one_that_the_api_server_takes(kind: str) -> None:
    crd = crd_object(DEFINITIONS[kind].crd)
    version, *_ = crd["spec"]["versions"]
    assert version["subresources"]["status"] == {}
    assert crd["metadata"]["name"] == f"{crd['spec']['names']['plural']}.{crd['spec']['group']}"
