"""ServerlessServices and Metrics that are written, because clients of a cluster read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hearth.cli.components import written_views
from hearth.kube.meta import Object
from hearth.kube.plan import Action, Create, Update, UpdateStatus
from hearth.kube.resources import Resource
from serving.kinds.shown import Observed, reconcile
from tests.unit.serving.api.test_serverless import a_podautoscaler

VIEWS = written_views()
Stored = dict[Resource, Object | None]


def stored_by(action: Action, before: Object | None) -> Object:
    """What a server has after a write."""
    assert isinstance(action, Create | Update | UpdateStatus)
    found: dict[str, Any] = {**action.obj, "metadata": {"generation": 1, **action.obj["metadata"]}}
    if isinstance(action, Update) and before and before["spec"] != found["spec"]:
        found["metadata"]["generation"] += 1
    return found


def settled(podautoscaler: Object, stored: Stored) -> list[Sequence[Action]]:
    """Reconcile until nothing is left to be done; return what was done in each turn."""
    turns: list[Sequence[Action]] = []
    while actions := reconcile(Observed(podautoscaler, stored), VIEWS).actions:
        for each in actions:
            assert isinstance(each, Create | Update | UpdateStatus)
            stored[each.resource] = stored_by(each, stored[each.resource])
        turns.append(actions)
        assert len(turns) <= 2
    return turns


def nothing() -> Stored:
    return dict.fromkeys(VIEWS)


def test_one_is_made_and_then_told_of() -> None:
    stored = nothing()
    turns = settled(a_podautoscaler(), stored)
    assert [[type(each) for each in turn] for turn in turns] == [[Create] * 2, [UpdateStatus] * 2]
    for resource, obj in stored.items():
        assert obj is not None
        assert (obj["apiVersion"], obj["kind"]) == (resource.api_version, resource.kind)
        assert obj["metadata"]["ownerReferences"][0]["kind"] == "PodAutoscaler"
        assert obj["status"]["observedGeneration"] == 1


def test_a_change_of_the_mode_is_a_spec_and_its_status() -> None:
    stored = nothing()
    settled(a_podautoscaler(), stored)
    [(spec,), (status,)] = settled(a_podautoscaler(shown="Serve 3"), stored)
    assert isinstance(spec, Update) and isinstance(status, UpdateStatus)
    assert (spec.obj["spec"]["mode"], spec.obj["spec"]["numActivators"]) == ("Serve", 3)
    assert status.obj["status"]["observedGeneration"] == 2


def test_that_of_another_owner_is_left_alone() -> None:
    stored = nothing()
    settled(a_podautoscaler(), stored)
    other = a_podautoscaler(shown="Serve 3")
    other["metadata"]["uid"] = "0e6b3bd5-8a19-4f4c-9b6f-29a2e0f3a7a1"
    assert not reconcile(Observed(other, stored), VIEWS)


@given(st.lists(st.sampled_from(["", "Serve 2", "Proxy 3"]), max_size=4), st.sampled_from("TF"))
def test_what_is_written_is_what_a_view_shows(modes: list[str], ready: str) -> None:
    stored = nothing()
    for mode in [*modes, ""]:
        podautoscaler = a_podautoscaler(ready={"T": "True", "F": "False"}[ready], shown=mode)
        settled(podautoscaler, stored)
    for resource, view in VIEWS.items():
        shown, obj = view(podautoscaler), stored[resource]
        assert obj is not None and obj["spec"] == shown["spec"]
        assert obj["status"]["conditions"] == shown["status"]["conditions"]
