"""Conditions against those real Knative gave in the same situation."""

import pytest
import yaml

from eventing.api import keys
from eventing.kinds import broker as brokers
from eventing.kinds import trigger as triggers
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import reference_of, resolve
from hearth.kube.plan import UpdateStatus
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


def test_brokers_of_another_class_are_left_alone():
    assert not SETTINGS.serves(world("broker-other-class")["Broker", "default"])


def test_every_world_of_ours_is_held_against_or_excused():
    names = {path.stem for path in scenarios(EVENTING_WORLD)}
    ours = {name for name in names if name.startswith(("broker", "trigger"))}
    held = {"broker", "broker-config-missing", "broker-delivery", "broker-other-class"}
    held |= {"trigger", "trigger-delivery", "trigger-dependency", "trigger-filters"}
    held |= {"trigger-no-subscriber"}
    assert ours == held | set(OURS)
