"""The adapter that all PingSources share, beyond what the recorded worlds show."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.api.settings import Features
from eventing.kinds import pingsource
from eventing.kinds.adapters import Adapters
from eventing.kinds.pingsource import FINALIZER, Observed, make_adapter
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import Resolved, Unresolved
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Delete, Event, Patch, Plan, Update, UpdateStatus

SETTINGS = ControlSettings("http://h", frozenset(), adapters=Adapters("registry/hearth:2"))
SINK = Resolved("http://sink")
AVAILABLE = {"conditions": [{"type": "Available", "status": "True"}]}


def ping(**metadata: Any) -> Object:
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "PingSource",
        "metadata": {
            "name": "p",
            "namespace": "ns",
            "uid": "u",
            "generation": 1,
            "finalizers": [FINALIZER],
            **metadata,
        },
        "spec": {"schedule": "* * * * *", "sink": {"uri": "http://sink"}},
    }


def adapter(replicas: int = 1) -> Object:
    made = make_adapter(SETTINGS, None)
    return {**made, "spec": {**made["spec"], "replicas": replicas}, "status": AVAILABLE}


def plan(*observed: Any, **more: Any) -> Plan:
    return pingsource.reconcile(Observed(*observed, **more), settings=SETTINGS, now=0.0)


def writes(found: Plan) -> list[Any]:
    return [each for each in found.actions if not isinstance(each, Event)]


def test_it_keeps_itself_from_going_before_the_adapter_is_told() -> None:
    [action] = plan(ping(finalizers=[]), SINK, None).actions
    assert isinstance(action, Patch) and action.patch["metadata"]["finalizers"] == [FINALIZER]


def test_the_first_one_makes_the_adapter() -> None:
    account = {"metadata": {"name": "pingsource-mt-adapter", "uid": "a"}}
    [made] = writes(plan(ping(), SINK, None, account=account))
    assert isinstance(made, Create)
    assert made.obj["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "ServiceAccount", "name": "pingsource-mt-adapter", "uid": "a"}
    ]
    pod = made.obj["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "pingsource-mt-adapter"
    [container] = pod["containers"]
    assert (container["image"], container["args"]) == ("registry/hearth:2", ["run", "pingsource"])


def test_the_adapter_comes_back_from_zero_and_to_the_image_of_the_day() -> None:
    [woken] = writes(plan(ping(), SINK, adapter(0)))
    assert isinstance(woken, Update) and woken.obj["spec"]["replicas"] == 1
    old = adapter(3)
    [container] = old["spec"]["template"]["spec"]["containers"]
    container["image"] = "registry/hearth:1"
    [updated] = writes(plan(ping(), SINK, old))
    assert updated.obj["spec"]["replicas"] == 3, "how many there are is the operator's to say"
    [container] = updated.obj["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry/hearth:2"
    assert writes(plan(ping(), SINK, adapter())) == []


@pytest.mark.parametrize(("is_last", "patched"), [(True, [{"spec": {"replicas": 0}}]), (False, [])])
def test_the_last_one_takes_the_adapter_to_zero(is_last: bool, patched: list[Any]) -> None:
    found = plan(ping(deletionTimestamp="x"), SINK, adapter(), is_last=is_last)
    patches = [each.patch for each in (*found.actions, *found.then) if isinstance(each, Patch)]
    assert [each for each in patches if "spec" in each] == patched
    assert patches[-1]["metadata"]["finalizers"] == []
    gone = plan(ping(deletionTimestamp="x", finalizers=["other"]), SINK, adapter(), is_last=True)
    assert not gone


def test_without_a_sink_no_adapter_is_made() -> None:
    found = plan(ping(), Unresolved("no"), None)
    assert writes(found) == []
    [update] = found.then
    assert isinstance(update, UpdateStatus)
    assert "ceAttributes" not in update.obj["status"]


def test_types_of_events_go_when_the_sink_is_no_object_any_more() -> None:
    known = {"metadata": {"name": "t", "namespace": "ns", "uid": "1"}, "spec": {}}
    [gone] = writes(plan(ping(), SINK, adapter(), event_types=[known]))
    assert isinstance(gone, Delete) and (gone.name, gone.uid) == ("t", "1")


def test_reconciling_the_outcome_does_nothing() -> None:
    [update] = plan(ping(), SINK, adapter()).then
    assert isinstance(update, UpdateStatus)
    ready = {each["type"]: each["status"] for each in update.obj["status"]["conditions"]}
    assert set(ready.values()) == {"True"}
    assert not plan(update.obj, SINK, adapter())


def test_what_the_adapter_notes_stays() -> None:
    noted = {**ping(), "status": {"annotations": {"eventing.hearth.dev/last-tick": "1 60"}}}
    [update] = plan(noted, SINK, adapter()).then
    assert isinstance(update, UpdateStatus)
    assert update.obj["status"]["annotations"] == noted["status"]["annotations"]


def test_it_sends_as_an_account_of_its_own_where_senders_must_say_who_they_are() -> None:
    features = Features.from_data({"authentication-oidc": "enabled"})
    settings = ControlSettings("http://h", frozenset(), features=features)
    found = pingsource.reconcile(Observed(ping(), SINK, adapter()), settings=settings, now=0.0)
    [account] = [
        each.obj
        for each in found.actions
        if isinstance(each, Create) and each.resource.plural == "serviceaccounts"
    ]
    [update] = found.then
    assert isinstance(update, UpdateStatus)
    assert update.obj["status"]["auth"] == {"serviceAccountName": account["metadata"]["name"]}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"schedule": "x"}, "expected 5 to 6 fields, found 1: [x]"),
        ({"schedule": "@every 5s"}, "unsupported descriptor @every"),
        ({"timezone": "Mars/Base"}, "unknown time zone Mars/Base"),
    ],
)
def test_a_schedule_that_came_past_admission_is_told(spec: Any, told: str) -> None:
    bad = {**ping(), "spec": {**ping()["spec"], **spec}}
    [update] = plan(bad, SINK, adapter()).then
    assert isinstance(update, UpdateStatus)
    [ready] = [each for each in update.obj["status"]["conditions"] if each["type"] == "Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSchedule")
    assert told in ready["message"]


def test_the_adapter_finds_the_trust_bundles_beside_it() -> None:
    ours = {"ours": ["ca.crt"]}
    [made] = writes(plan(ping(), SINK, None, bundles=ours))
    spec = made.obj["spec"]["template"]["spec"]
    assert spec["volumes"][-1] == {
        "name": "kne-bundle-volume",
        "projected": {
            "sources": [
                {
                    "configMap": {
                        "name": "ours",
                        "optional": True,
                        "items": [{"key": "ca.crt", "path": "ours.ca.crt"}],
                    }
                }
            ],
            "defaultMode": 0o644,
        },
    }
    [container] = spec["containers"]
    assert container["volumeMounts"][-1]["mountPath"] == "/knative-custom-certs"
    # One more bundle is a change of the adapter.
    both = ours | {"yours": ["ca.crt"]}
    [update] = writes(plan(ping(), SINK, made.obj, bundles=both))
    assert isinstance(update, Update)
    [*_, volume] = update.obj["spec"]["template"]["spec"]["volumes"]
    # Under one key in each, and still each a file of its own.
    paths = [source["configMap"]["items"][0]["path"] for source in volume["projected"]["sources"]]
    assert paths == ["ours.ca.crt", "yours.ca.crt"]
    assert not writes(plan(ping(), SINK, update.obj, bundles=both))
