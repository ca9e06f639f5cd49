"""Knative Eventing, control plane: what Broker, Trigger, Channel and Subscription promise."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from kubernetes import watch
from kubernetes.dynamic.exceptions import DynamicApiError

from conformance.addresses import EVENTING, MESSAGING, Address, Subscriber, make, open_address
from conformance.hub import Hub, Reply, ids
from conformance.messages import REPLY_TYPE, TYPE, binary, event, reply
from conformance.rules import rule
from conformance.support import Cluster, condition, until

FAST = {"retry": 2, "backoffPolicy": "linear", "backoffDelay": "PT0.05S"}
NOBODY = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "nobody"}}
ANYWHERE = {"uri": "http://sink.example.com"}


def missing_channel() -> dict[str, Any]:
    return {"apiVersion": MESSAGING, "kind": "Channel", "name": f"missing-{uuid.uuid4().hex[:8]}"}


def refused(call: Callable[[], object]) -> str:
    """What the API server says to a request that it has to refuse."""
    with pytest.raises(DynamicApiError) as error:
        call()
    assert 400 <= error.value.status < 500
    return str(error.value.body)


def status(cluster: Cluster, of: Subscriber | Address) -> dict[str, Any]:
    return cluster.get(of.kind, of.name, of.group).get("status") or {}


def until_not_ready(cluster: Cluster, of: Subscriber, *, false: bool = True) -> dict[str, Any]:
    """The object once its controller has found that it is not ready."""

    def found() -> dict[str, Any] | None:
        obj = cluster.get(of.kind, of.name, of.group)
        ready = condition(obj, "Ready").get("status")
        current = (obj.get("status") or {}).get("observedGeneration")
        wanted = ready == "False" if false else ready in ("False", "Unknown")
        return obj if wanted and current == obj["metadata"]["generation"] else None

    obj: dict[str, Any] = until(found, what=f"{of.kind} {of.name} not ready")
    return obj


def says_why(obj: dict[str, Any]) -> bool:
    return any(
        each["status"] != "True" and (each.get("reason") or each.get("message"))
        for each in obj["status"]["conditions"]
    )


def an_uri(box: Any) -> dict[str, Any]:
    return {"uri": box.url}


# -- Brokers ---------------------------------------------------------------------------------


@rule("CP-10", "CP-12", "CP-60", "CP-94")
def test_a_broker_has_an_address_and_forwards_by_filters(cluster, hub: Hub, broker: Address):
    assert broker.url.startswith("http")
    wanted, other, everything = hub.box(), hub.box(), hub.box()
    broker.subscribe(wanted, attributes={"type": "a"})
    broker.subscribe(other, attributes={"type": "b"})
    broker.subscribe(everything, attributes={})
    first, second = event(type="a"), event(type="b")
    broker.put_in(binary(first))
    broker.put_in(binary(second))
    everything.wait(2)
    assert ids(wanted.wait()) == [first["id"]]
    assert ids(other.wait()) == [second["id"]]


@rule("CP-11")
def test_a_trigger_gets_the_events_of_its_broker_alone(cluster, hub: Hub, broker: Address):
    another = open_address(cluster, hub, "Broker")
    boxes = hub.box(), hub.box()
    broker.subscribe(boxes[0])
    another.subscribe(boxes[1])
    sent = event(), event()
    broker.put_in(binary(sent[0]))
    another.put_in(binary(sent[1]))
    assert [ids(each.wait()) for each in boxes] == [[each["id"]] for each in sent]


@rule("CP-13", "CP-33", "CP-94")
@pytest.mark.parametrize("kind", ["Broker", "Channel"])
def test_the_dead_letter_sink_of_an_address_is_in_its_status(cluster, hub: Hub, kind):
    dead = hub.box()
    address = open_address(cluster, hub, kind, {"delivery": {"deadLetterSink": an_uri(dead)}})
    assert status(cluster, address)["deadLetterSinkUri"] == dead.url


@rule("CP-13", "CP-33", "CP-52")
@pytest.mark.parametrize("kind", ["Broker", "Channel"])
def test_an_address_whose_dead_letter_sink_is_missing_is_not_ready(cluster, kind):
    group = EVENTING if kind == "Broker" else MESSAGING
    spec = {"delivery": {"deadLetterSink": NOBODY}}
    made = make(cluster, group, kind, spec, ready=False)
    assert says_why(until_not_ready(cluster, made))


@rule("CP-14")
def test_another_class_is_left_to_its_own_controller(cluster, hub: Hub):
    other = {"eventing.knative.dev/broker.class": "conformance.example.com/none"}
    made = make(cluster, EVENTING, "Broker", {}, ready=False, annotations=other)
    open_address(cluster, hub, "Broker")  # made later, and ready
    found = cluster.get("Broker", made.name, EVENTING)
    assert condition(found, "Ready").get("status") != "True"
    assert not (found.get("status") or {}).get("address")


@rule("CP-15")
def test_a_broker_without_a_class_is_given_one(cluster, broker: Address):
    annotations = cluster.get("Broker", broker.name, EVENTING)["metadata"]["annotations"]
    assert annotations["eventing.knative.dev/broker.class"]


@rule("CP-16", "CP-106")
@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"annotations": {"eventing.knative.dev/broker.class": "another"}}},
        {"spec": {"config": {"apiVersion": "v1", "kind": "ConfigMap", "name": "another"}}},
    ],
    ids=["class", "config"],
)
def test_class_and_config_of_a_broker_are_fixed(cluster, broker: Address, change):
    refused(lambda: cluster.patch("Broker", broker.name, change, EVENTING))


# -- Triggers --------------------------------------------------------------------------------


@rule("CP-20")
def test_a_trigger_may_come_before_its_broker(cluster, hub: Hub):
    name = f"later-{uuid.uuid4().hex[:8]}"
    spec = {"broker": name, "subscriber": an_uri(hub.box())}
    trigger = make(cluster, EVENTING, "Trigger", spec, ready=False)
    waiting = until_not_ready(cluster, trigger)
    ready = condition(waiting, "Ready")
    assert "broker" in f"{ready.get('reason')} {ready.get('message')}".lower()
    make(cluster, EVENTING, "Broker", {}, name=name)
    cluster.until_ready("Trigger", trigger.name, group=EVENTING)


@rule("CP-21", "CP-24", "CP-94")
def test_a_ready_trigger_has_its_uris_in_its_status(cluster, hub: Hub, broker: Address):
    box, dead = hub.box(), hub.box()
    found = status(cluster, broker.subscribe(box, dead_letters=dead))
    assert found["subscriberUri"] == box.url
    assert found["deadLetterSinkUri"] == dead.url


@rule("CP-22", "CP-23", "CP-52")
def test_a_trigger_without_its_subscriber_is_not_ready(cluster, broker: Address):
    spec = {"broker": broker.name, "subscriber": NOBODY}
    trigger = make(cluster, EVENTING, "Trigger", spec, ready=False)
    found = until_not_ready(cluster, trigger)
    assert says_why(found)
    assert not found["status"].get("subscriberUri")


@rule("CP-22", "CP-23", "CP-52")
def test_a_trigger_that_loses_its_subscriber_is_not_ready(cluster, hub: Hub, broker: Address):
    trigger = broker.subscribe(hub.box())
    cluster.patch(
        "Trigger", trigger.name, {"spec": {"subscriber": {"uri": None} | NOBODY}}, EVENTING
    )
    assert not until_not_ready(cluster, trigger)["status"].get("subscriberUri")


@rule("CP-24", "CP-52")
def test_a_trigger_without_its_dead_letter_sink_is_not_ready(cluster, hub: Hub, broker: Address):
    spec = {
        "broker": broker.name,
        "subscriber": an_uri(hub.box()),
        "delivery": {"deadLetterSink": NOBODY},
    }
    trigger = make(cluster, EVENTING, "Trigger", spec, ready=False)
    assert says_why(until_not_ready(cluster, trigger))


@rule("CP-25", "CP-105")
def test_the_broker_of_a_trigger_is_fixed(cluster, hub: Hub, broker: Address):
    trigger = broker.subscribe(hub.box())
    change = {"spec": {"broker": "another"}}
    assert "broker" in refused(lambda: cluster.patch("Trigger", trigger.name, change, EVENTING))


def until_followed(cluster: Cluster, of: Subscriber) -> None:
    """Until a change is known to the controller, and done."""
    cluster.until_ready(of.kind, of.name, group=of.group)


@rule("CP-26")
def test_subscriber_and_filter_of_a_trigger_can_be_changed(cluster, hub: Hub, broker: Address):
    first, second, marks = hub.box(), hub.box(), hub.box()
    trigger = broker.subscribe(first)
    broker.subscribe(marks, attributes={"type": "marker"})
    changed = {"subscriber": an_uri(second), "filter": {"attributes": {"type": "another"}}}
    cluster.patch("Trigger", trigger.name, {"spec": changed}, EVENTING)
    until_followed(cluster, trigger)
    sent = event(type="another")
    broker.put_in(binary(event()))
    broker.put_in(binary(sent))
    broker.put_in(binary(event(type="marker")))
    marks.wait()
    assert ids(second.wait()) == [sent["id"]]
    assert first.received() == []


@rule("CP-27", "CP-48", "CP-63", "CP-74", "CP-64", "CP-75")
def test_every_event_after_ready_is_delivered(address: Address):
    boxes = []
    sent: list[str] = []
    for _ in range(5):
        boxes.append(address.hub.box())
        address.subscribe(boxes[-1])
        one = event()
        sent.append(one["id"])
        address.put_in(binary(one))
    for number, box in enumerate(boxes):
        got = ids(box.wait(len(boxes) - number))
        assert sorted(got) == sorted(set(got))
        assert set(got) >= set(sent[number:])


# -- Channels --------------------------------------------------------------------------------


@rule("CP-30", "CP-32", "CP-71", "CP-94")
def test_a_channel_has_an_address_and_forwards_to_all(hub: Hub, channel: Address):
    assert channel.url.startswith("http")
    boxes = [hub.box() for _ in range(3)]
    for each in boxes:
        channel.subscribe(each)
    sent = event()
    channel.put_in(binary(sent))
    assert [ids(each.wait()) for each in boxes] == [[sent["id"]]] * 3


@rule("CP-31")
def test_a_subscription_gets_the_events_of_its_channel_alone(cluster, hub: Hub, channel: Address):
    another = open_address(cluster, hub, "Channel")
    boxes = hub.box(), hub.box()
    channel.subscribe(boxes[0])
    another.subscribe(boxes[1])
    sent = event(), event()
    channel.put_in(binary(sent[0]))
    another.put_in(binary(sent[1]))
    assert [ids(each.wait()) for each in boxes] == [[each["id"]] for each in sent]


@rule("CP-34")
def test_a_channel_without_a_template_is_given_one(cluster, channel: Address):
    assert cluster.get("Channel", channel.name, MESSAGING)["spec"]["channelTemplate"]["kind"]


@rule("CP-35")
def test_the_template_of_a_channel_is_fixed(cluster, channel: Address):
    another = {"apiVersion": "messaging.example.com/v1", "kind": "AnotherChannel"}
    change = {"spec": {"channelTemplate": another}}
    refused(lambda: cluster.patch("Channel", channel.name, change, MESSAGING))


# -- Subscriptions ---------------------------------------------------------------------------


def subscription(cluster: Cluster, spec: dict[str, Any]) -> Subscriber:
    return make(cluster, MESSAGING, "Subscription", spec, ready=False)


@rule("CP-40")
def test_a_subscription_names_no_namespace(cluster, channel: Address):
    there = channel.ref() | {"namespace": "another"}
    refused(lambda: subscription(cluster, {"channel": there, "subscriber": ANYWHERE}))


@rule("CP-41")
def test_a_subscription_may_come_before_its_channel(cluster, hub: Hub):
    ref = missing_channel()
    made = subscription(cluster, {"channel": ref, "subscriber": an_uri(hub.box())})
    waiting = until_not_ready(cluster, made, false=False)
    ready = condition(waiting, "Ready")
    assert "channel" in f"{ready.get('reason')} {ready.get('message')}".lower()
    make(cluster, MESSAGING, "Channel", {}, name=ref["name"])
    until_followed(cluster, made)


@rule("CP-42", "CP-94")
def test_a_ready_subscription_has_its_uris_in_its_status(cluster, hub: Hub, channel: Address):
    box, replies, dead = hub.box(), hub.box(), hub.box()
    made = channel.subscribe(box, replies=replies, dead_letters=dead)
    found = status(cluster, made)["physicalSubscription"]
    assert found["subscriberUri"] == box.url
    assert found["replyUri"] == replies.url
    assert found["deadLetterSinkUri"] == dead.url


@rule("CP-43", "CP-44", "CP-52")
@pytest.mark.parametrize("part", ["subscriber", "reply", "deadLetterSink"])
def test_a_subscription_without_a_destination_is_not_ready(cluster, channel: Address, part):
    spec: dict[str, Any] = {"channel": channel.ref(), "subscriber": ANYWHERE}
    spec |= {"delivery": {part: NOBODY}} if part == "deadLetterSink" else {part: NOBODY}
    found = until_not_ready(cluster, subscription(cluster, spec))
    assert says_why(found)
    assert not (found["status"].get("physicalSubscription") or {}).get(f"{part}Uri")


@rule("CP-45", "CP-83")
def test_replies_without_a_place_are_dropped(hub: Hub, channel: Address):
    box, watching, dead = hub.box(reply()), hub.box(), hub.box()
    channel.subscribe(box, dead_letters=dead, delivery=FAST)
    channel.subscribe(watching)
    sent = event()
    channel.put_in(binary(sent))
    box.wait()
    assert ids(watching.settled()) == [sent["id"]]
    assert len(box.received()) == 1
    assert dead.received() == []


@rule("CP-46", "CP-108")
def test_the_channel_of_a_subscription_is_fixed(cluster, hub: Hub, channel: Address):
    made = channel.subscribe(hub.box())
    change = {"spec": {"channel": {"name": "another"}}}
    refused(lambda: cluster.patch("Subscription", made.name, change, MESSAGING))


@rule("CP-47")
def test_subscriber_reply_and_delivery_of_a_subscription_can_be_changed(
    cluster, hub: Hub, channel: Address
):
    first, second, replies, dead = hub.box(), hub.box(reply(), Reply(400)), hub.box(), hub.box()
    made = channel.subscribe(first)
    changed = {
        "subscriber": an_uri(second),
        "reply": an_uri(replies),
        "delivery": {"deadLetterSink": an_uri(dead)},
    }
    cluster.patch("Subscription", made.name, {"spec": changed}, MESSAGING)
    until_followed(cluster, made)
    channel.put_in(binary(event()))
    replies.wait()
    lost = event()
    channel.put_in(binary(lost))
    assert ids(dead.wait()) == [lost["id"]]
    assert first.received() == []


# -- destinations ----------------------------------------------------------------------------


def uri_of(cluster: Cluster, of: Subscriber) -> str:
    found = status(cluster, of)
    return str((found.get("physicalSubscription") or found)["subscriberUri"])


@rule("CP-50", "CP-53")
@pytest.mark.parametrize("kind", ["Broker", "Channel"])
def test_brokers_and_channels_are_destinations(cluster, hub: Hub, address: Address, kind):
    target = open_address(cluster, hub, kind)
    box = hub.box()
    target.subscribe(box)
    made = address.subscribe({"ref": target.ref()})
    assert uri_of(cluster, made) == target.url
    sent = event()
    address.put_in(binary(sent))
    assert ids(box.wait()) == [sent["id"]]


@rule("CP-50", "CP-51")
def test_services_are_destinations_by_their_name_in_the_cluster(cluster, address: Address):
    ref = {"apiVersion": "v1", "kind": "Service", "name": "eventshub"}
    made = address.subscribe({"ref": ref})
    host = f"http://eventshub.{cluster.namespace}.svc"
    assert uri_of(cluster, made).startswith(host)
    relative = address.subscribe({"ref": ref, "uri": "/a/b?c=d"})
    assert uri_of(cluster, relative).startswith(host)
    assert uri_of(cluster, relative).endswith("/a/b?c=d")


@rule("CP-50", "CP-51", "CP-12", "CP-32")
def test_a_service_with_a_relative_uri_is_delivered_to(hub: Hub, address: Address):
    box = hub.box()
    ref = {"apiVersion": "v1", "kind": "Service", "name": "eventshub"}
    address.subscribe({"ref": ref, "uri": box.url.removeprefix(hub.inside)})
    address.put_in(binary(event()))
    assert len(box.wait()) == 1


# -- routing ---------------------------------------------------------------------------------


@rule("CP-63", "CP-65", "CP-76")
def test_each_subscriber_gets_each_event_once_even_at_one_address(address: Address):
    box = address.hub.box()
    for _ in range(3):
        address.subscribe(box)
    sent = [event()["id"] for _ in range(4)]
    for each in sent:
        address.put_in(binary(event(id=each)))
    box.wait(12)
    assert sorted(ids(box.settled())) == sorted(sent * 3)


@rule("CP-67", "CP-68", "CP-82")
def test_a_reply_is_held_against_all_triggers_of_the_broker(hub: Hub, broker: Address):
    box, other = hub.box(reply(), Reply(202)), hub.box()
    broker.subscribe(box, attributes={"source": event()["source"]})
    broker.subscribe(other, attributes={"type": REPLY_TYPE})
    sent = event()
    broker.put_in(binary(sent))
    first, second = box.wait(2)
    assert first.attributes["id"] == sent["id"]
    assert second.attributes["type"] == REPLY_TYPE
    assert other.wait()[0].attributes["id"] == second.attributes["id"]


# -- delivery --------------------------------------------------------------------------------


@rule("CP-82")
def test_the_reply_of_a_retry_counts(address: Address):
    box, replies = address.hub.box(Reply(500), reply(id="the-reply")), address.hub.box()
    address.subscribe(box, replies=replies, delivery=FAST)
    address.put_in(binary(event()))
    assert ids(replies.wait()) == ["the-reply"]
    assert len(box.received()) == 2


@rule("CP-84")
def test_a_reply_that_is_not_taken_is_tried_again(hub: Hub, channel: Address):
    box, replies = hub.box(reply(id="the-reply")), hub.box(Reply(500), Reply(503), Reply(202))
    channel.subscribe(box, replies=replies, delivery=FAST)
    channel.put_in(binary(event()))
    assert ids(replies.wait(3)) == ["the-reply"] * 3


@rule("CP-85")
def test_an_event_whose_reply_cannot_be_delivered_is_a_dead_letter(hub: Hub, channel: Address):
    box, replies, dead = hub.box(reply(id="the-reply")), hub.box(Reply(500)), hub.box()
    channel.subscribe(box, replies=replies, dead_letters=dead, delivery=FAST)
    sent = event()
    channel.put_in(binary(sent))
    [got] = dead.wait()
    assert got.attributes["id"] in (sent["id"], "the-reply")
    assert len(replies.received()) >= 3


@rule("CP-85", "CP-81")
def test_what_cannot_be_delivered_goes_to_the_dead_letter_sink(address: Address):
    box, dead = address.hub.box(Reply(500)), address.hub.box()
    address.subscribe(box, dead_letters=dead, delivery=FAST)
    sent = event(subject="s", myextension="x")
    address.put_in(binary(sent, b'{"lost": 1}'))
    [got] = dead.wait()
    assert sent.items() <= got.attributes.items()
    assert got.data == b'{"lost": 1}'
    assert len(box.received()) == 3


@rule("CP-85", "CP-13", "CP-33")
def test_without_one_of_its_own_the_address_dead_letter_sink_counts(cluster, hub: Hub):
    for kind in ("Broker", "Channel"):
        box, dead = hub.box(Reply(400)), hub.box()
        spec = {"delivery": {"deadLetterSink": an_uri(dead)}}
        address = open_address(cluster, hub, kind, spec)
        address.subscribe(box)
        sent = event()
        address.put_in(binary(sent))
        assert ids(dead.wait()) == [sent["id"]]


@rule("CP-86")
def test_a_dead_letter_sink_is_tried_again(address: Address):
    box, dead = address.hub.box(Reply(400)), address.hub.box(Reply(500), Reply(503), Reply(202))
    address.subscribe(box, dead_letters=dead, delivery=FAST)
    address.put_in(binary(event()))
    assert len(set(ids(dead.wait(3)))) == 1


@rule("CP-95", "CP-98")
@pytest.mark.parametrize("kind", ["Broker", "Channel"])
def test_own_delivery_options_leave_none_of_the_address(cluster, hub: Hub, kind):
    box, dead = hub.box(Reply(500)), hub.box()
    spec = {"delivery": {"deadLetterSink": an_uri(dead), **FAST}}
    address = open_address(cluster, hub, kind, spec)
    address.subscribe(box, delivery={"retry": 1})
    address.put_in(binary(event()))
    box.wait(2)
    assert len(box.settled()) == 2
    assert dead.received() == []


# -- resources -------------------------------------------------------------------------------

_DELIVERY = ("deadLetterSink.ref", "deadLetterSink.uri", "retry", "backoffPolicy", "backoffDelay")
_STATUS = ("status.conditions", "status.observedGeneration")
_ADDRESS = (*_STATUS, "status.address.url", "status.deadLetterSinkUri")
FIELDS = {
    "brokers.eventing.knative.dev": (
        "spec.config",
        *(f"spec.delivery.{each}" for each in _DELIVERY),
        *_ADDRESS,
    ),
    "triggers.eventing.knative.dev": (
        "spec.broker",
        "spec.filter.attributes",
        "spec.subscriber.ref",
        "spec.subscriber.uri",
        *(f"spec.delivery.{each}" for each in _DELIVERY),
        *_STATUS,
        "status.subscriberUri",
        "status.deadLetterSinkUri",
    ),
    "channels.messaging.knative.dev": (
        "spec.channelTemplate",
        *(
            f"spec.subscribers.{each}"
            for each in ("uid", "generation", "subscriberUri", "replyUri")
        ),
        *(f"spec.subscribers.delivery.{each}" for each in _DELIVERY),
        *(f"spec.delivery.{each}" for each in _DELIVERY),
        *_ADDRESS,
        *(f"status.subscribers.{each}" for each in ("uid", "ready", "message")),
    ),
    "subscriptions.messaging.knative.dev": (
        *(f"spec.channel.{each}" for each in ("apiVersion", "kind", "name")),
        "spec.subscriber.ref",
        "spec.subscriber.uri",
        "spec.reply.ref",
        "spec.reply.uri",
        *(f"spec.delivery.{each}" for each in _DELIVERY),
        *_STATUS,
        *(
            f"status.physicalSubscription.{each}"
            for each in ("subscriberUri", "replyUri", "deadLetterSinkUri")
        ),
    ),
}


def has_field(schema: dict[str, Any], path: list[str]) -> bool:
    if not path or (not schema.get("properties") and _takes_anything(schema)):
        return True
    if "items" in schema:
        return has_field(schema["items"], path)
    inner = (schema.get("properties") or {}).get(path[0])
    if inner is None:
        return _takes_anything(schema)
    return has_field(inner, path[1:])


def _takes_anything(schema: dict[str, Any]) -> bool:
    # The official client turns a true into an empty object where anything goes.
    return bool(schema.get("x-kubernetes-preserve-unknown-fields")) or bool(
        schema.get("additionalProperties")
    )


@rule("CP-90", "CP-91")
@pytest.mark.parametrize(("name", "field"), [(n, f) for n, each in FIELDS.items() for f in each])
def test_the_schema_has_every_field(cluster, name, field):
    cluster.kind("Channel", MESSAGING)
    kind = cluster.kind("CustomResourceDefinition", "apiextensions.k8s.io/v1")
    versions = kind.get(name).to_dict()["spec"]["versions"]
    [schema] = [v["schema"]["openAPIV3Schema"] for v in versions if v["name"] == "v1"]
    assert has_field(schema, field.split("."))


@rule("CP-92")
def test_nothing_beyond_the_specification_is_needed(cluster, hub: Hub, address: Address):
    box = hub.box()
    address.subscribe(box)
    address.put_in(binary(event()))
    assert len(box.wait()) == 1


A_CHANNEL = {"apiVersion": MESSAGING, "kind": "Channel", "name": "c"}


def without(field: str) -> dict[str, str]:
    return {name: value for name, value in A_CHANNEL.items() if name != field}


INCOMPLETE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a Trigger without broker": (EVENTING, "Trigger", {"subscriber": ANYWHERE}),
    "a Trigger without subscriber": (EVENTING, "Trigger", {"broker": "b"}),
    "a Trigger with an empty subscriber": (EVENTING, "Trigger", {"broker": "b", "subscriber": {}}),
    "a Subscription without channel": (MESSAGING, "Subscription", {"subscriber": ANYWHERE}),
    "a Subscription without subscriber": (MESSAGING, "Subscription", {"channel": A_CHANNEL}),
    **{
        f"a Subscription of a channel without {each}": (
            MESSAGING,
            "Subscription",
            {
                "channel": without(each),
                "subscriber": ANYWHERE,
            },
        )
        for each in A_CHANNEL
    },
    **{
        f"a reference without {each}": (
            EVENTING,
            "Trigger",
            {
                "broker": "b",
                "subscriber": {"ref": without(each)},
            },
        )
        for each in A_CHANNEL
    },
    "an unknown backoffPolicy": (
        EVENTING,
        "Trigger",
        {"broker": "b", "subscriber": ANYWHERE, "delivery": {"backoffPolicy": "never"}},
    ),
    "a backoffDelay that is no duration": (
        EVENTING,
        "Trigger",
        {"broker": "b", "subscriber": ANYWHERE, "delivery": {"backoffDelay": "soon"}},
    ),
    "a negative retry": (
        EVENTING,
        "Trigger",
        {"broker": "b", "subscriber": ANYWHERE, "delivery": {"retry": -1}},
    ),
}


@rule("CP-01", "CP-93", "CP-100", "CP-105", "CP-107", "CP-108", "CP-45")
@pytest.mark.parametrize("case", INCOMPLETE)
def test_what_is_not_well_formed_is_refused(cluster, case):
    group, kind, spec = INCOMPLETE[case]
    refused(lambda: make(cluster, group, kind, spec, ready=False))


@rule("CP-93", "CP-106")
@pytest.mark.parametrize("kind", ["Broker", "Channel"])
def test_optional_fields_may_be_left_out(cluster, hub: Hub, kind):
    assert open_address(cluster, hub, kind, {}).url


@rule("CP-96")
@pytest.mark.parametrize("kind", ["Trigger", "Subscription"])
def test_generation_and_conditions_change_together(cluster, hub: Hub, kind):
    """A state with the new generation never has the conditions of the old one."""
    address = open_address(cluster, hub, "Broker" if kind == "Trigger" else "Channel")
    made = address.subscribe(hub.box())
    before = cluster.get(made.kind, made.name, made.group)
    resource = cluster.kind(made.kind, made.group)
    broken = {"spec": {"subscriber": {"uri": None} | NOBODY}}
    cluster.patch(made.kind, made.name, broken, made.group)
    watching = resource.watch(
        namespace=cluster.namespace,
        field_selector=f"metadata.name={made.name}",
        resource_version=before["metadata"]["resourceVersion"],
        timeout=30,
        watcher=watch.Watch(),
    )
    with closing(watching):
        for change in watching:
            seen = change["raw_object"]
            new = seen["status"]["observedGeneration"] > before["metadata"]["generation"]
            if new:
                assert condition(seen, "Ready")["status"] != "True"
                return
    raise AssertionError("the new generation was not observed")


@rule("CP-97", "CP-99")
def test_the_subscribers_of_a_channel_follow_its_subscriptions(cluster, hub: Hub, channel: Address):
    box, replies, dead = hub.box(), hub.box(), hub.box()
    made = channel.subscribe(box, replies=replies, dead_letters=dead)
    uid = cluster.get(made.kind, made.name, made.group)["metadata"]["uid"]

    def subscribers() -> list[dict[str, Any]]:
        # A Channel may be a face of another object, which then is the one that has subscribers.
        of = status(cluster, channel).get("channel") or channel.ref()
        found = cluster.get(of["kind"], of["name"], of["apiVersion"])
        listed: list[dict[str, Any]] = found["spec"].get("subscribers") or []
        return listed

    [found] = until(subscribers, what="a subscriber in the channel")
    assert found["uid"] == uid
    assert found["subscriberUri"] == box.url
    assert found["replyUri"] == replies.url
    assert found["delivery"]["deadLetterSink"]["uri"] == dead.url
    cluster.delete(made.kind, made.name, made.group)
    until(lambda: not subscribers(), what="no subscriber in the channel")


# -- filters ---------------------------------------------------------------------------------

FILTERS: dict[str, tuple[dict[str, str], dict[str, Any], bool]] = {
    "one key": ({"type": TYPE}, {}, True),
    "another value": ({"type": "another"}, {}, False),
    "all keys": ({"type": TYPE, "subject": "s"}, {"subject": "s"}, True),
    "one of two keys": ({"type": TYPE, "subject": "s"}, {"subject": "t"}, False),
    "an extension": ({"myextension": "x"}, {"myextension": "x"}, True),
    "not there": ({"myextension": "x"}, {}, False),
    "any value": ({"myextension": ""}, {"myextension": "x"}, True),
    "any value, not there": ({"myextension": ""}, {}, False),
    "another case": ({"subject": "S"}, {"subject": "s"}, False),
    "a part of it": ({"subject": "s"}, {"subject": "st"}, False),
}


@rule("CP-64", "CP-101", "CP-102", "CP-103", "CP-104")
@pytest.mark.parametrize("case", FILTERS)
def test_a_filter_matches_exactly(hub: Hub, broker: Address, case):
    attributes, changes, matches = FILTERS[case]
    box, everything = hub.box(), hub.box()
    broker.subscribe(box, attributes=attributes)
    broker.subscribe(everything, attributes={})
    given = {name: value or "x" for name, value in attributes.items()}
    sent, marker = event(**changes), event(**given)
    broker.put_in(binary(sent))
    broker.put_in(binary(marker))
    everything.wait(2)
    box.wait_for(lambda each: each.attributes["id"] == marker["id"])
    assert (sent["id"] in ids(box.settled(quiet=0.1))) is matches
