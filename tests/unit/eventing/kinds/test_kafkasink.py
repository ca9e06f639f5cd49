"""KafkaSink: what is told of it, and when it may go."""

from __future__ import annotations

from typing import Any

from eventing.kinds import kafkasink
from eventing.kinds.kafkasink import Observed
from eventing.kinds.settings import ControlSettings
from hearth.kube.plan import Patch, UpdateStatus

SETTINGS = ControlSettings("http://ingress", frozenset())
FINALIZER = "kafkasinks.eventing.knative.dev"
OPENED = {"eventing.hearth.dev/opened": "true"}


def a_sink(marks: Any = None, *, metadata: Any = None, **spec: Any) -> Any:
    head = {"apiVersion": "eventing.knative.dev/v1alpha1", "kind": "KafkaSink"}
    meta = {"name": "s", "namespace": "ns", "finalizers": [FINALIZER], **(metadata or {})}
    said = {"topic": "t", "bootstrapServers": ["k:9092"], **spec}
    return {**head, "metadata": meta, "spec": said, "status": {"annotations": marks or {}}}


def plan(sink: Any) -> Any:
    return kafkasink.reconcile(Observed(sink), settings=SETTINGS, now=0)


def told(found: Any) -> Any:
    [update] = found.then
    assert isinstance(update, UpdateStatus)
    status = update.obj["status"]
    shown = {c["type"]: (c["status"], c.get("reason")) for c in status["conditions"]}
    return status, shown


def test_it_keeps_itself_until_its_topic_is_gone() -> None:
    [patch] = plan(a_sink(metadata={"finalizers": []})).actions
    assert isinstance(patch, Patch)
    assert patch.patch["metadata"]["finalizers"] == [FINALIZER]
    going = {"deletionTimestamp": "now"}
    assert not plan(a_sink(OPENED, metadata=going))
    [patch] = plan(a_sink({"eventing.hearth.dev/closed": "true"}, metadata=going)).actions
    assert patch.patch["metadata"]["finalizers"] == []


def test_it_is_ready_when_the_broker_process_says_so() -> None:
    _, shown = told(plan(a_sink()))
    assert (
        shown["Ready"][0] == shown["DataPlaneAvailable"][0] == shown["TopicReady"][0] == "Unknown"
    )
    opened = a_sink(OPENED, numPartitions=1, replicationFactor=1)
    found = plan(opened)
    status, shown = told(found)
    assert status["address"] == {"name": "http", "url": "http://ingress/kafkasinks/ns/s"}
    assert status["annotations"]["eventing.knative.dev/topic.owner"] == "kafkasink-controller"
    assert shown["TopicReady"] == ("True", "Topic t (owner kafkasink-controller)")
    assert {status for status, _ in shown.values()} == {"True"}
    assert set(shown) == {
        "Addressable",
        "ConfigMapUpdated",
        "ConfigParsed",
        "DataPlaneAvailable",
        "EventPoliciesReady",
        "ProbeSucceeded",
        "Ready",
        "TopicReady",
    }
    assert not plan({**opened, "status": status})


def test_what_is_wrong_with_its_topic_is_told() -> None:
    problem = {"eventing.hearth.dev/problem": "Topic is not present or invalid\ntopics [t]: why"}
    status, shown = told(plan(a_sink(problem)))
    assert status["annotations"]["eventing.knative.dev/topic.owner"] == "external"
    assert shown["TopicReady"] == shown["Ready"] == ("False", "Topic is not present or invalid")
    assert shown["DataPlaneAvailable"][0] == "True"
    assert "address" not in status
