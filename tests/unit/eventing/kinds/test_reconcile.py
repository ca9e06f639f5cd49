"""Broker and Trigger: status by what is observed, and nothing to do once it is there."""

import copy
from dataclasses import replace

import pytest

from eventing.api import keys
from eventing.kinds import broker as brokers
from eventing.kinds import trigger as triggers
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import Resolved, Unresolved
from hearth.kube.plan import UpdateStatus

NOW = 1_700_000_000.0
SINK = Resolved("http://sink.ns.svc.cluster.local")
NO_SINK = Unresolved('failed to get object ns/sink: services "sink" not found')


SETTINGS = ControlSettings("http://h:1", frozenset({keys.BROKER_CLASS}))


def reconcile_broker(observed, *, now):
    return brokers.reconcile(observed, settings=SETTINGS, now=now)


def reconcile_trigger(observed, *, now):
    return triggers.reconcile(observed, settings=SETTINGS, now=now)


def a_broker(*, opened=True, delivery=None, of_class=keys.BROKER_CLASS):
    found = {
        "metadata": {
            "name": "b",
            "namespace": "ns",
            "generation": 1,
            "annotations": {keys.BROKER_CLASS_ANNOTATION: of_class},
        },
        "spec": {"delivery": delivery} if delivery else {},
    }
    if opened:
        found["status"] = {"annotations": {keys.OPENED_ANNOTATION: "true"}}
    return found


def a_trigger(*, subscribed=True, **spec):
    found = {
        "metadata": {"name": "t", "namespace": "ns", "generation": 2},
        "spec": {"broker": "b", "filter": {}, "subscriber": {"uri": SINK.url}} | spec,
    }
    if subscribed:
        found["status"] = {"annotations": {keys.SUBSCRIBED_ANNOTATION: "2"}}
    return found


def observed_broker(broker=None, **given):
    defaults = {"missing_config": None, "dead_letter_sink": None}
    return brokers.Observed(broker or a_broker(), **(defaults | given))


def ready_broker(**given):
    return settle_broker(observed_broker(a_broker(**given), dead_letter_sink=given.get("sink")))


def settle_broker(observed):
    """The broker with the status that reconciling gives it."""
    [action] = reconcile_broker(observed, now=NOW).actions
    assert isinstance(action, UpdateStatus)
    return action.obj


def observed_trigger(trigger=None, **given):
    defaults = {
        "broker": ready_broker(),
        "subscriber": SINK,
        "dead_letter_sink": None,
        "dependency": None,
    }
    return triggers.Observed(trigger or a_trigger(), **(defaults | given))


def settle_trigger(observed):
    [action] = reconcile_trigger(observed, now=NOW).actions
    return action.obj


def conditions(obj):
    return {
        found["type"]: (found["status"], found.get("reason"), found.get("message"))
        for found in obj["status"]["conditions"]
    }


def test_a_broker_gets_an_address_and_is_ready():
    found = settle_broker(observed_broker())
    assert found["status"]["address"] == {"name": "http", "url": "http://h:1/ns/b"}
    assert found["status"]["observedGeneration"] == 1
    assert conditions(found)["Ready"][0] == "True"
    assert [c["type"] for c in found["status"]["conditions"]] == [
        "Addressable",
        "DeadLetterSinkResolved",
        "EventPoliciesReady",
        "FilterReady",
        "IngressReady",
        "Ready",
        "TriggerChannelReady",
    ]


def test_an_open_log_that_fails_is_no_ready_broker():
    broker = a_broker()
    broker["status"]["annotations"][keys.PROBLEM_ANNOTATION] = "no right to read topic t"
    found = settle_broker(observed_broker(broker))
    expected = ("False", "LogFails", "no right to read topic t")
    assert conditions(found)["Ready"] == expected


BROKER_CASES = [
    pytest.param(observed_broker(), "True", None, id="ready"),
    pytest.param(observed_broker(a_broker(opened=False)), "Unknown", "LogNotOpen", id="not open"),
    pytest.param(
        observed_broker(missing_config="c"), "False", "ChannelTemplateFailed", id="no config"
    ),
    pytest.param(observed_broker(dead_letter_sink=SINK), "True", None, id="dead letter sink"),
    pytest.param(
        observed_broker(dead_letter_sink=NO_SINK),
        "False",
        brokers.UNRESOLVED_SINK,
        id="no dead letter sink",
    ),
]


@pytest.mark.parametrize(("observed", "status", "reason"), BROKER_CASES)
def test_broker_readiness(observed, status, reason):
    found = conditions(settle_broker(observed))
    assert found["Ready"][:2] == (status, reason)


@pytest.mark.parametrize(("observed", "status", "reason"), BROKER_CASES)
def test_a_broker_reconciled_again_needs_nothing(observed, status, reason):
    again = replace(observed, broker=settle_broker(observed))
    assert not reconcile_broker(again, now=NOW + 100)


def test_a_dead_letter_sink_that_goes_away_leaves_the_status():
    broker = settle_broker(observed_broker(dead_letter_sink=SINK))
    assert broker["status"]["deadLetterSinkUri"] == SINK.url
    after = settle_broker(observed_broker(broker, dead_letter_sink=NO_SINK))
    assert "deadLetterSinkUri" not in after["status"]


def not_ready_broker():
    return settle_broker(observed_broker(a_broker(opened=False)))


def a_source(*, status="True", reason="", seen=1):
    ready = {"type": "Ready", "status": status, "reason": reason, "message": "m"}
    return {
        "metadata": {"name": "p", "generation": 1},
        "status": {"observedGeneration": seen, "conditions": [ready]},
    }


TRIGGER_CASES = [
    pytest.param(observed_trigger(), "Ready", "True", None, id="ready"),
    pytest.param(
        observed_trigger(broker=None), "BrokerReady", "False", "BrokerDoesNotExist", id="no broker"
    ),
    pytest.param(
        observed_trigger(broker=a_broker()),
        "BrokerReady",
        "Unknown",
        "BrokerNotConfigured",
        id="new broker",
    ),
    pytest.param(
        observed_trigger(broker=not_ready_broker()),
        "BrokerReady",
        "Unknown",
        "LogNotOpen",
        id="broker not ready",
    ),
    pytest.param(
        observed_trigger(subscriber=NO_SINK),
        "SubscriberResolved",
        "False",
        triggers.UNRESOLVED_SUBSCRIBER,
        id="no subscriber",
    ),
    pytest.param(
        observed_trigger(dead_letter_sink=NO_SINK),
        "DeadLetterSinkResolved",
        "False",
        brokers.UNRESOLVED_SINK,
        id="no dead letter sink",
    ),
    pytest.param(
        observed_trigger(a_trigger(subscribed=False)),
        "SubscriptionReady",
        "Unknown",
        "SubscriptionNotConfigured",
        id="not subscribed yet",
    ),
    pytest.param(
        observed_trigger(a_trigger(filters=[{"exact": {"type": ""}}])),
        "SubscriptionReady",
        "False",
        "FilterNotSupported",
        id="filter",
    ),
    pytest.param(
        observed_trigger(dependency=triggers.Dependency(None, "x not found")),
        "DependencyReady",
        "False",
        "DependencyDoesNotExist",
        id="no dependency",
    ),
    pytest.param(
        observed_trigger(dependency=triggers.Dependency(a_source())),
        "Ready",
        "True",
        None,
        id="dependency ready",
    ),
    pytest.param(
        observed_trigger(dependency=triggers.Dependency(a_source(status="False", reason="No"))),
        "DependencyReady",
        "False",
        "No",
        id="dependency not ready",
    ),
    pytest.param(
        observed_trigger(dependency=triggers.Dependency(a_source(seen=0))),
        "DependencyReady",
        "Unknown",
        "GenerationNotEqual",
        id="dependency changed",
    ),
]


@pytest.mark.parametrize(("observed", "kind", "status", "reason"), TRIGGER_CASES)
def test_trigger_conditions(observed, kind, status, reason):
    found = conditions(settle_trigger(observed))
    assert found[kind][:2] == (status, reason)
    assert found["Ready"][:2] == (status, reason)


@pytest.mark.parametrize(("observed", "kind", "status", "reason"), TRIGGER_CASES)
def test_a_trigger_reconciled_again_needs_nothing(observed, kind, status, reason):
    again = replace(observed, trigger=settle_trigger(observed))
    assert not reconcile_trigger(again, now=NOW + 100)


def test_the_subscriber_is_shown():
    assert settle_trigger(observed_trigger())["status"]["subscriberUri"] == SINK.url


def test_a_subscriber_that_goes_away_leaves_the_status():
    before = settle_trigger(observed_trigger())
    after = settle_trigger(observed_trigger(before, subscriber=NO_SINK))
    assert "subscriberUri" not in after["status"]


def test_the_brokers_dead_letter_sink_is_inherited():
    delivery = {"deadLetterSink": {"uri": SINK.url}}
    broker = settle_broker(observed_broker(a_broker(delivery=delivery), dead_letter_sink=SINK))
    found = settle_trigger(observed_trigger(broker=broker))
    assert found["status"]["deadLetterSinkUri"] == SINK.url
    assert conditions(found)["DeadLetterSinkResolved"][:2] == ("True", None)


def test_the_triggers_own_dead_letter_sink_counts_first():
    delivery = {"deadLetterSink": {"uri": SINK.url}}
    broker = settle_broker(observed_broker(a_broker(delivery=delivery), dead_letter_sink=SINK))
    own = Resolved("http://own")
    found = settle_trigger(observed_trigger(broker=broker, dead_letter_sink=own))
    assert found["status"]["deadLetterSinkUri"] == own.url


def test_triggers_of_other_brokers_are_left_alone():
    assert not reconcile_trigger(
        observed_trigger(broker=a_broker(of_class="RabbitMQBroker")), now=NOW
    )


def test_observed_objects_are_not_changed():
    observed = observed_trigger()
    before = copy.deepcopy(observed.trigger)
    reconcile_trigger(observed, now=NOW)
    assert observed.trigger == before
