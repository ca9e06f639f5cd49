"""What a SinkBinding does to its subjects, and what it tells."""

from typing import Any

import pytest

from eventing.api.settings import Features
from eventing.kinds import sinkbinding
from eventing.kinds.binding import bind
from eventing.kinds.settings import ControlSettings
from eventing.kinds.sinkbinding import FINALIZER, Missing, Observed, bound_of
from hearth.knative.destinations import Resolved, Unresolved
from hearth.kube.meta import Object
from hearth.kube.plan import Action, Patch, Plan, UpdateStatus

SETTINGS = ControlSettings("http://h", frozenset())
SINK = Resolved("http://sink")
LABELLED = {"metadata": {"name": "ns", "labels": {"bindings.knative.dev/include": "true"}}}


def binding(*, subject: Any = None, **metadata: Any) -> Object:
    given = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ns", "name": "d"}
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "SinkBinding",
        "metadata": {
            "name": "b",
            "namespace": "ns",
            "generation": 1,
            "resourceVersion": "5",
            "finalizers": [FINALIZER],
            **metadata,
        },
        "spec": {"subject": subject or given, "sink": {"uri": "http://sink"}},
    }


def deployment(name: str = "d", **metadata: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "ns", "uid": name, "resourceVersion": "7"}
        | metadata,
        "spec": {"template": {"spec": {"containers": [{"name": "c"}]}}},
    }


def plan(observed: Observed) -> Plan:
    return sinkbinding.reconcile(observed, settings=SETTINGS, now=0.0)


def conditions(actions: tuple[Action, ...]) -> dict[str, tuple[str, str, str]]:
    [update] = [each for each in actions if isinstance(each, UpdateStatus)]
    return {
        each["type"]: (each["status"], each.get("reason", ""), each.get("message", ""))
        for each in update.obj["status"]["conditions"]
    }


TRUE = ("True", "", "")


def test_it_keeps_itself_from_going_first() -> None:
    [action] = plan(Observed(binding(finalizers=[]), [deployment()], SINK)).actions
    assert isinstance(action, Patch)
    assert action.patch["metadata"] == {"finalizers": [FINALIZER], "resourceVersion": "5"}


def test_the_subject_is_bound_its_namespace_labelled_and_all_is_told() -> None:
    first = plan(Observed(binding(), [deployment()], SINK, namespace={"metadata": {"name": "ns"}}))
    label, bound = first.actions
    assert isinstance(label, Patch) and isinstance(bound, Patch)
    assert (label.resource.plural, label.name) == ("namespaces", "ns")
    assert label.patch == {"metadata": {"labels": {"bindings.knative.dev/include": "true"}}}
    assert (bound.resource.plural, bound.name, bound.namespace) == ("deployments", "d", "ns")
    told = conditions(first.then)
    assert told["Ready"] == told["SinkBindingAvailable"] == told["SinkProvided"] == TRUE
    # What came of it needs nothing more.
    [update] = first.then
    assert isinstance(update, UpdateStatus)
    done = bind(deployment(), bound_of(binding(), SINK))
    assert not plan(Observed(update.obj, [done], SINK, LABELLED))


@pytest.mark.parametrize("label", ["include", "exclude"])
def test_a_namespace_that_says_something_is_left_alone(label: str) -> None:
    where = {"metadata": {"name": "ns", "labels": {f"bindings.knative.dev/{label}": "x"}}}
    [action] = plan(Observed(binding(), [deployment()], SINK, where)).actions
    assert isinstance(action, Patch) and action.resource.plural == "deployments"


@pytest.mark.parametrize(
    ("subjects", "told"),
    [
        (
            Missing('deployments.apps "d" not found'),
            ("SubjectMissing", 'deployments.apps "d" not found'),
        ),
        (Unresolved("no such kind"), ("SubjectUnavailable", "no such kind")),
        ([{"metadata": {"name": "d"}}], ("SubjectUnavailable", "a Deployment has no pod template")),
    ],
)
def test_a_subject_that_cannot_be_bound_is_told(subjects: Any, told: tuple[str, str]) -> None:
    found = plan(Observed(binding(), subjects, SINK, LABELLED))
    assert not found.actions
    assert conditions(found.then)["SinkBindingAvailable"] == ("False", *told)
    assert conditions(found.then)["Ready"] == ("False", *told)


def test_without_a_sink_nothing_is_taken_from_the_subject() -> None:
    done = bind(deployment(), bound_of(binding(), SINK))
    found = plan(Observed(binding(), [done], Unresolved("gone"), LABELLED))
    assert not found.actions
    text = "Addressable could not be extracted from destination: gone"
    assert conditions(found.then)["SinkProvided"] == ("False", "NoAddressable", text)


def test_a_selector_that_finds_nobody_is_no_failure() -> None:
    selecting = binding(subject={"apiVersion": "apps/v1", "kind": "Deployment", "selector": {}})
    assert conditions(plan(Observed(selecting, [], SINK, LABELLED)).then)["Ready"] == TRUE


JOB = {"apiVersion": "batch/v1", "kind": "Job", "namespace": "ns"}


def test_a_job_is_never_changed_and_one_by_name_that_came_too_early_is_told() -> None:
    named = binding(subject={**JOB, "name": "j"})
    found = plan(Observed(named, [deployment("j")], SINK, LABELLED))
    assert not found.actions
    status, reason, message = conditions(found.then)["SinkBindingAvailable"]
    assert (status, reason) == ("False", "BindingFailed")
    assert message.startswith("failed binding subject j: the pod template of a Job")
    done = bind(deployment("j"), bound_of(named, SINK))
    assert conditions(plan(Observed(named, [done], SINK, LABELLED)).then)["Ready"] == TRUE
    selecting = binding(subject={**JOB, "selector": {}})
    early = plan(Observed(selecting, [deployment("j")], SINK, LABELLED))
    assert conditions(early.then)["Ready"] == TRUE


def test_a_subject_that_refuses_is_told_and_tried_again() -> None:
    found = sinkbinding.refused(Observed(binding(), [deployment()], SINK), "no!", now=0.0)
    assert found is not None and found.requeue_after
    told = conditions(found.actions)["SinkBindingAvailable"]
    assert told == ("False", "BindingFailed", "failed binding subject: no!")


def test_before_it_goes_its_subjects_are_as_they_were() -> None:
    done = bind(deployment(), bound_of(binding(), SINK))
    going = binding(deletionTimestamp="2026-11-29T00:00:00Z")
    observed = Observed(going, [done, deployment("other", deletionTimestamp="x")], SINK, LABELLED)
    [released], [last] = plan(observed).actions, plan(observed).then
    assert isinstance(released, Patch) and isinstance(last, Patch)
    assert released.patch["spec"]["template"]["spec"] == {"containers": [{"name": "c"}]}
    assert last.patch["metadata"]["finalizers"] == []
    # Nobody there, or somebody who refuses: nothing keeps it.
    [only] = plan(Observed(going, Unresolved("no such kind"), SINK)).then
    assert only == last
    refused = sinkbinding.refused(observed, "no!", now=0.0)
    assert refused is not None and refused.actions == (last,)
    assert not plan(Observed(binding(deletionTimestamp="x", finalizers=["other"]), [done], SINK))


AUTHENTICATING = ControlSettings(
    "http://h", frozenset(), features=Features.from_data({"authentication-oidc": "enabled"})
)


def authenticating(sink: Resolved) -> Plan:
    observed = Observed(binding(), [deployment()], sink, LABELLED)
    return sinkbinding.reconcile(observed, settings=AUTHENTICATING, now=0.0)


def test_where_senders_must_say_who_they_are_subjects_show_a_token() -> None:
    found = authenticating(Resolved("http://sink", audience="it"))
    [bound], [update] = found.actions, found.then
    assert isinstance(bound, Patch) and isinstance(update, UpdateStatus)
    assert bound.patch["spec"]["template"]["spec"]["volumes"][0]["name"] == "oidc-token"
    status = update.obj["status"]
    assert status["auth"] == {"serviceAccountNames": ["default"]}
    assert status["sinkAudience"] == "it"
    known = sinkbinding.known_bound(update.obj)
    assert known is not None and known.audience == "it"
    told = conditions(found.then)
    assert told["OIDCIdentityCreated"] == told["OIDCTokenSecretCreated"] == TRUE


def test_a_sink_without_an_audience_is_shown_none() -> None:
    found = authenticating(SINK)
    [bound] = found.actions
    assert isinstance(bound, Patch) and "volumes" not in bound.patch["spec"]["template"]["spec"]
    told = conditions(found.then)["OIDCIdentityCreated"]
    assert told == ("True", "Sink has no audience defined", "")


def test_nobody_is_shown_anything_while_nobody_asks() -> None:
    found = plan(Observed(binding(), [deployment()], Resolved("http://s", audience="it"), LABELLED))
    [bound] = found.actions
    assert isinstance(bound, Patch) and "volumes" not in bound.patch["spec"]["template"]["spec"]
