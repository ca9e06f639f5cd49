"""RequestReply: what is told of it."""

from __future__ import annotations

from typing import Any

from eventing.api import keys
from eventing.kinds import requestreply
from eventing.kinds.settings import ControlSettings
from hearth.kube.plan import UpdateStatus

SETTINGS = ControlSettings("http://h", frozenset())


def told(broker: Any, **marks: str) -> Any:
    obj: Any = {"metadata": {"name": "r", "namespace": "ns"}, "status": {"annotations": marks}}
    obj["spec"] = {"brokerRef": {"name": "b"}}
    observed = requestreply.Observed(obj, broker)
    [update] = requestreply.reconcile(observed, settings=SETTINGS, now=0).actions
    assert isinstance(update, UpdateStatus)
    done = requestreply.Observed(update.obj, broker)
    assert not requestreply.reconcile(done, settings=SETTINGS, now=0)
    status = update.obj["status"]
    return status, {c["type"]: (c["status"], c.get("reason")) for c in status["conditions"]}


def a_broker(ready: str) -> Any:
    conditions = [{"type": "Ready", "status": ready}]
    return {"status": {"conditions": conditions, "address": {"url": "http://h/ns/b"}}}


def test_it_is_ready_with_its_broker_once_it_is_served() -> None:
    status, shown = told(a_broker("True"), **{keys.OPENED_ANNOTATION: "true"})
    assert {state for state, _ in shown.values()} == {"True"}
    assert status["address"] == {"name": "http", "url": "http://h/requestreplies/ns/r"}
    assert status["annotations"][requestreply.BROKER_ADDRESS_ANNOTATION] == "http://h/ns/b"
    status, shown = told(a_broker("True"))
    assert shown["Ready"] == shown["TriggersReady"] == ("Unknown", "TriggersNotReady")
    assert (status["desiredReplicas"], status["readyReplicas"]) == (1, 0)


def test_without_its_broker_it_is_not() -> None:
    _, shown = told(None, **{keys.OPENED_ANNOTATION: "true"})
    assert shown["BrokerReady"] == ("Unknown", "NotFound")
    _, shown = told(a_broker("False"), **{keys.OPENED_ANNOTATION: "true"})
    assert shown["Ready"] == shown["BrokerReady"] == ("False", "NotReady")
