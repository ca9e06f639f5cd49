"""Conditions against those real Knative gave in the same situation."""

import copy

import pytest
import yaml

from eventing.api import keys
from eventing.api.channelkinds import INMEMORY
from eventing.kinds import broker as brokers
from eventing.kinds import channel as channels
from eventing.kinds import eventtype as event_types
from eventing.kinds import parallel as parallels
from eventing.kinds import sequence as sequences
from eventing.kinds import servedchannel as servedchannels
from eventing.kinds import subscription as subscriptions
from eventing.kinds import trigger as triggers
from eventing.kinds.flowparts import ObservedFlow, Parts
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import Reference, Unresolved, reference_of, resolve
from hearth.kube import meta
from hearth.kube.plan import Create, Delete, Update, UpdateStatus
from tests.recordings import EVENTING_WORLD, scenarios

SETTINGS = ControlSettings("http://h", frozenset({keys.BROKER_CLASS}))
OURS = {
    "broker-dead-letter-missing": "Knative says NoAddress of the channel; here the sink is named",
    "trigger-no-broker": "Knative leaves the Trigger without a status",
}


def world(name):
    [_, *objects] = yaml.safe_load_all((EVENTING_WORLD / f"{name}.yaml").read_text())
    return {(found["kind"], found["metadata"]["name"]): found for found in objects}


def fresh(obj, **marks):
    """The object before anyone reconciled it, but for the data plane's marks."""
    return {**obj, "status": {"annotations": marks}}


def bare(status):
    """Conditions and addresses, without times and without what is the channel's."""
    kept = {k: v for k, v in status.items() if k not in ("conditions", "annotations", "address")}
    kept["conditions"] = [
        {k: v for k, v in condition.items() if k != "lastTransitionTime"}
        for condition in status.get("conditions", ())
    ]
    return kept


def lookup(objects, destination):
    if not destination:
        return None
    reference = reference_of(destination, "world")
    found = objects.get((reference.kind, reference.name)) if reference else None
    return resolve(destination, reference, found)


def reconciled_broker(objects, broker):
    config = broker["spec"]["config"]["name"]
    observed = brokers.Observed(
        broker=fresh(broker, **{keys.OPENED_ANNOTATION: "true"}),
        missing_config=config if config == "nothere" else None,
        dead_letter_sink=lookup(objects, broker["spec"]["delivery"].get("deadLetterSink")),
    )
    [action] = brokers.reconcile(observed, settings=SETTINGS, now=0).actions
    assert isinstance(action, UpdateStatus)
    return action.obj


@pytest.mark.parametrize("name", ["broker", "broker-config-missing", "broker-delivery"])
def test_broker(name):
    objects = world(name)
    broker = objects["Broker", "default"]
    assert bare(reconciled_broker(objects, broker)["status"]) == bare(broker["status"])


@pytest.mark.parametrize(
    "name",
    [
        "trigger",
        "trigger-delivery",
        "trigger-dependency",
        "trigger-filters",
        "trigger-no-subscriber",
    ],
)
def test_trigger(name):
    objects = world(name)
    trigger = objects["Trigger", "t"]
    spec = trigger["spec"]
    annotated = trigger["metadata"]["annotations"].get(keys.DEPENDENCY_ANNOTATION)
    missing = 'pingsources.sources.knative.dev "p" not found'
    observed = triggers.Observed(
        trigger=fresh(trigger, **{keys.SUBSCRIBED_ANNOTATION: "1"}),
        broker=reconciled_broker(objects, objects["Broker", "default"]),
        subscriber=lookup(objects, spec["subscriber"]),
        dead_letter_sink=lookup(objects, spec.get("delivery", {}).get("deadLetterSink")),
        dependency=triggers.Dependency(None, missing) if annotated else None,
    )
    [action] = triggers.reconcile(observed, settings=SETTINGS, now=0).actions
    assert isinstance(action, UpdateStatus)
    assert bare(action.obj["status"]) == bare(trigger["status"])


def written(action):
    assert isinstance(action, Create | Update | UpdateStatus)
    return action.obj


def as_made(obj):
    """An object without what the server and admission add, and where its Service leads to."""
    metadata = {k: obj["metadata"][k] for k in ("name", "namespace")}
    metadata["owner"] = obj["metadata"]["ownerReferences"][0]["name"]
    spec = {k: v for k, v in obj["spec"].items() if k not in ("externalName", "sessionAffinity")}
    return {"kind": obj["kind"], "metadata": metadata, "spec": spec}


def told_by_broker(status):
    """What the broker process writes."""
    told = {"annotations": {keys.OPENED_ANNOTATION: "true"}}
    return told | {k: v for k, v in status.items() if k == "subscribers"}


IN_CLUSTER = ControlSettings("http://ingress.example", frozenset())


@pytest.mark.parametrize(
    "name", ["imc", "channel-subscription", "sequence", "parallel", "broker-delivery"]
)
def test_in_memory_channels(name):
    objects = world(name)
    found = [obj for (kind, _), obj in objects.items() if kind == "InMemoryChannel"]
    assert found
    for channel in found:
        sink = (channel["spec"].get("delivery") or {}).get("deadLetterSink")
        observed = servedchannels.Observed(
            INMEMORY,
            {**channel, "status": told_by_broker(channel["status"])},
            service=None,
            endpoints=None,
            dead_letter_sink=lookup(objects, sink),
        )
        plan = servedchannels.reconcile(observed, settings=IN_CLUSTER, now=0)
        [made], [update] = plan.actions, plan.then
        service = objects["Service", f"{channel['metadata']['name']}-kn-channel"]
        assert as_made(written(made)) == as_made(service)
        assert meta.labels(written(made)) == meta.labels(service)
        assert bare(written(update)["status"]) == bare(channel["status"])
        assert written(update)["status"]["address"] == channel["status"]["address"]


def test_channel():
    objects = world("channel-subscription")
    channel, backing = objects["Channel", "c"], objects["InMemoryChannel", "c"]
    observed = channels.Observed({**channel, "status": {}}, None)
    [made] = channels.reconcile(observed, settings=SETTINGS, now=0).actions
    without_subscribers = {**backing, "spec": {}}
    assert as_made(written(made)) == as_made(without_subscribers)
    observed = channels.Observed({**channel, "status": {}}, backing)
    [update] = channels.reconcile(observed, settings=SETTINGS, now=0).then
    assert bare(written(update)["status"]) == bare(channel["status"])
    assert written(update)["status"]["address"] == channel["status"]["address"]


def subscription_observed(objects, subscription, channel):
    spec = subscription["spec"]
    return subscriptions.Observed(
        {**subscription, "status": {}},
        channel,
        subscriber=lookup(objects, spec.get("subscriber")),
        reply=lookup(objects, spec.get("reply")),
    )


@pytest.mark.parametrize("name", ["channel-subscription", "sequence", "parallel"])
def test_subscriptions(name):
    objects = world(name)
    for (kind, _), subscription in objects.items():
        if kind != "Subscription":
            continue
        backing = objects["InMemoryChannel", subscription["spec"]["channel"]["name"]]
        reference = Reference("messaging.knative.dev/v1", "InMemoryChannel", "world", "c")
        [subscriber] = [
            each
            for each in backing["spec"]["subscribers"]
            if each["name"] == subscription["metadata"]["name"]
        ]
        empty = {**backing, "spec": {}}
        channel = subscriptions.FoundChannel(reference, empty)
        observed = subscription_observed(objects, subscription, channel)
        plan = subscriptions.reconcile(observed, settings=SETTINGS, now=0)
        [join], [update] = plan.actions, plan.then
        assert written(join)["spec"]["subscribers"] == [subscriber]
        assert bare(written(update)["status"]) == bare(subscription["status"])


FLOWS = [("sequence", "Sequence", "q", sequences), ("parallel", "Parallel", "p", parallels)]


@pytest.mark.parametrize(("world_name", "kind", "name", "module"), FLOWS)
def test_flows(world_name, kind, name, module):
    objects = world(world_name)
    flow = objects[kind, name]
    fresh_flow = {**flow, "status": {}}
    made = {key: obj for key, obj in objects.items() if key[1].startswith(f"{name}-kn-")}
    channels = {title: obj for (kind, title), obj in made.items() if kind == "InMemoryChannel"}
    subscribed = {title: obj for (kind, title), obj in made.items() if kind == "Subscription"}
    nothing = Parts(dict.fromkeys(channels), dict.fromkeys(subscribed))
    plan = module.reconcile(ObservedFlow(fresh_flow, nothing), settings=SETTINGS, now=0)
    created = [written(action) for action in plan.actions]
    assert len(created) == len(channels) + len(subscribed)
    for obj in created:
        before = {**made[obj["kind"], obj["metadata"]["name"]]}
        if obj["kind"] == "InMemoryChannel":
            before["spec"] = {}  # its subscribers came later
        assert as_made(obj) == as_made(before)
    there = Parts(channels, subscribed)
    plan = module.reconcile(ObservedFlow(fresh_flow, there), settings=SETTINGS, now=0)
    [update] = plan.then
    assert plan.actions == ()
    assert without_times(bare(written(update)["status"])) == without_times(bare(flow["status"]))
    assert written(update)["status"]["address"] == flow["status"]["address"]
    done = ObservedFlow(written(update), there)
    assert not module.reconcile(done, settings=SETTINGS, now=0)


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k != "lastTransitionTime"}
    return [without_times(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("world_name", "kind", "name", "module"), FLOWS)
def test_parts_that_nobody_wants_any_more_go(world_name, kind, name, module):
    objects = world(world_name)
    flow = copy.deepcopy(objects[kind, name])
    field = "steps" if kind == "Sequence" else "branches"
    del flow["spec"][field][1:]
    made = {key: obj for key, obj in objects.items() if key[1].startswith(f"{name}-kn-")}
    parts = Parts(
        {title: obj for (kind, title), obj in made.items() if kind == "InMemoryChannel"},
        {title: obj for (kind, title), obj in made.items() if kind == "Subscription"},
    )
    plan = module.reconcile(ObservedFlow(flow, parts), settings=SETTINGS, now=0)
    gone = {action.name for action in plan.actions if isinstance(action, Delete)}
    second = {title for _, title in made if title.endswith("-1")}
    assert gone == second
    stranger = {title: {**parts.channel(title), "metadata": {}} for title in parts.channels}
    others = ObservedFlow(flow, Parts(stranger, {}))
    plan = module.reconcile(others, settings=SETTINGS, now=0)
    assert not [action for action in plan.actions if isinstance(action, Delete)]


def test_subscription_without_a_channel():
    objects = world("subscription-no-channel")
    subscription = objects["Subscription", "s"]
    missing = Unresolved('channels.messaging.knative.dev "c" not found')
    observed = subscription_observed(objects, subscription, missing)
    plan = subscriptions.reconcile(observed, settings=SETTINGS, now=0)
    [update] = plan.then
    assert plan.actions == ()
    assert bare(written(update)["status"]) == bare(subscription["status"])


def test_type_of_events_of_something_that_is_there():
    objects = world("pingsource")
    [event_type] = (found for (kind, _), found in objects.items() if kind == "EventType")
    assert event_type_status(event_type, {"kind": "Service"}) == bare(event_type["status"])


@pytest.mark.parametrize(
    ("reference", "referred", "told"),
    [
        (None, None, ("True", "ReferenceNotSet")),
        ({"name": ""}, None, ("True", "ReferenceNotSet")),
        ({"name": "b"}, None, ("False", "ResourceDoesNotExist")),
        ({"name": "b"}, Unresolved("no such kind"), ("Unknown", "ReferenceGetFailed")),
    ],
)
def test_types_of_events_of_what_is_not_there(reference, referred, told):
    event_type = {"metadata": {"generation": 1}, "spec": {"reference": reference}}
    ready, exists = event_type_status(event_type, referred)["conditions"]
    assert (exists["status"], exists.get("reason")) == told
    assert ready["status"] == told[0]


def event_type_status(event_type, referred):
    observed = event_types.Observed(fresh(event_type), referred)
    [update] = event_types.reconcile(observed, settings=SETTINGS, now=0).actions
    return bare(written(update)["status"])


def test_brokers_of_another_class_are_left_alone():
    assert not SETTINGS.serves(world("broker-other-class")["Broker", "default"])


def test_every_world_of_brokers_and_triggers_is_held_against_or_excused():
    names = {path.stem for path in scenarios(EVENTING_WORLD)}
    ours = {name for name in names if name.startswith(("broker", "trigger"))}
    held = {"broker", "broker-config-missing", "broker-delivery", "broker-other-class"}
    held |= {"trigger", "trigger-delivery", "trigger-dependency", "trigger-filters"}
    held |= {"trigger-no-subscriber"}
    assert ours == held | set(OURS)
