"""Bindings come into workloads and go again, and leave nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.kube.meta import Object
from hearth.kube.patch import create_merge_patch, merge_patch
from hearth.servicebinding.mapping import built_in
from hearth.servicebinding.paths import PathError
from hearth.servicebinding.projection import Projection, is_projected, project, unproject

PODSPECABLE = built_in("deployments.apps")


def a_workload(*containers: dict[str, Any], **spec: Any) -> Object:
    pod = {"containers": list(containers) or [{"name": "app"}], **spec}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
    return {"metadata": {"name": "w", "uid": "w"}, "spec": {"template": template}}


def bound(workload: Object, *projections: Projection, mapping: Any = PODSPECABLE) -> Object:
    for each in projections:
        workload = project(workload, each, mapping, "v1")
    return workload


def pod(workload: Object) -> dict[str, Any]:
    found: dict[str, Any] = workload["spec"]["template"]["spec"]
    return found


def test_a_secret_is_mounted_below_a_root_that_is_told() -> None:
    found = bound(a_workload(), Projection("1", "db", "creds"))
    [container] = pod(found)["containers"]
    assert container["env"] == [{"name": "SERVICE_BINDING_ROOT", "value": "/bindings"}]
    [mount] = container["volumeMounts"]
    assert mount == {"name": "servicebinding-1", "mountPath": "/bindings/db", "readOnly": True}
    [volume] = pod(found)["volumes"]
    assert volume["name"] == "servicebinding-1"
    assert volume["projected"]["sources"] == [{"secret": {"name": "creds"}}]


def test_a_root_that_is_there_already_is_kept() -> None:
    own = {"name": "SERVICE_BINDING_ROOT", "value": "/run/own/"}
    found = bound(a_workload({"env": [own]}), Projection("1", "db", "creds"))
    [container] = pod(found)["containers"]
    assert container["env"] == [own]
    assert container["volumeMounts"][0]["mountPath"] == "/run/own/db"


def test_type_and_provider_of_the_binding_lie_over_the_secrets() -> None:
    projection = Projection("1", "db", "creds", type="mysql", provider="me", env=[("T", "type")])
    found = bound(a_workload(), projection)
    annotations = found["spec"]["template"]["metadata"]["annotations"]
    assert annotations["projector.servicebinding.io/type-1"] == "mysql"
    sources = pod(found)["volumes"][0]["projected"]["sources"]
    assert [each["downwardAPI"]["items"][0]["path"] for each in sources[1:]] == ["type", "provider"]
    field = sources[1]["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"]
    assert field == "metadata.annotations['projector.servicebinding.io/type-1']"
    assert {"name": "T", "value": "mysql"} in pod(found)["containers"][0]["env"]


def test_variables_have_values_of_the_secret() -> None:
    found = bound(a_workload(), Projection("1", "db", "creds", env=[("B", "b"), ("A", "a")]))
    env = pod(found)["containers"][0]["env"]
    assert [each["name"] for each in env] == ["SERVICE_BINDING_ROOT", "A", "B"]
    assert env[1]["valueFrom"] == {"secretKeyRef": {"name": "creds", "key": "a"}}


def test_only_the_named_containers_are_bound() -> None:
    workload = a_workload({"name": "app"}, {"name": "side"}, initContainers=[{"name": "first"}])
    found = pod(bound(workload, Projection("1", "db", "creds", containers=["side"])))
    assert ["volumeMounts" in each for each in found["containers"]] == [False, True]
    assert "volumeMounts" not in found["initContainers"][0]


def test_a_container_without_a_name_is_bound_whatever_names_are_asked_for() -> None:
    mapping = {
        "versions": [
            {"version": "*", "containers": [{"path": ".spec.template.spec.containers[*]"}]}
        ]
    }
    projection = Projection("1", "db", "creds", containers=["other"])
    assert "volumeMounts" in pod(bound(a_workload(), projection, mapping=mapping))["containers"][0]


def test_a_variable_of_the_user_that_refers_to_the_same_secret_stays() -> None:
    own = {"name": "MINE", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "x"}}}
    workload = a_workload({"name": "app", "env": [own, {"name": "Z", "value": "1"}]})
    found = bound(workload, Projection("1", "db", "creds", env=[("A", "a")]))
    assert found["spec"]["template"]["spec"]["containers"][0]["env"][0] == own
    assert unproject(found, "1", PODSPECABLE, "v1") | {"metadata": {}} == workload | {
        "metadata": {}
    }


def test_a_cron_job_is_bound_where_its_template_is() -> None:
    workload = {"metadata": {}, "spec": {"jobTemplate": a_workload()}}
    found = bound(workload, Projection("1", "db", "creds"), mapping=built_in("cronjobs.batch"))
    assert "volumes" in pod(found["spec"]["jobTemplate"])


def test_it_goes_by_the_mapping_that_it_came_by() -> None:
    """After a change of the mapping it is taken out where it was, and put in where it should be."""
    other = {
        "versions": [
            {
                "version": "*",
                "annotations": ".other.annotations",
                "volumes": ".other.volumes",
                "containers": [{"path": ".other.containers[*]"}],
            }
        ]
    }
    workload = a_workload() | {"other": {"containers": [{}]}}
    found = bound(workload, Projection("1", "db", "creds"))
    moved = project(found, Projection("1", "db", "creds"), other, "v1")
    assert moved["spec"] == workload["spec"] | {
        "template": workload["spec"]["template"] | {"metadata": {"labels": {"a": "b"}}}
    }
    assert moved["other"]["volumes"]


@pytest.mark.parametrize("text", ["{", "7", ""])
def test_a_mapping_that_was_made_unreadable_is_replaced_by_the_one_of_now(text: str) -> None:
    found = bound(a_workload(), Projection("1", "db", "creds"))
    found["metadata"]["annotations"]["projector.servicebinding.io/mapping-1"] = text
    assert "volumes" not in pod(unproject(found, "1", PODSPECABLE, "v1"))


def test_a_path_that_leads_to_something_else_is_refused() -> None:
    with pytest.raises(PathError):
        bound(a_workload() | {"spec": {"template": "text"}}, Projection("1", "db", "creds"))


NAMES = st.sampled_from(["A", "B", "C", "D"])
PROJECTIONS = st.builds(
    Projection,
    uid=st.sampled_from(["1", "2", "3"]),
    name=st.sampled_from(["db", "queue"]),
    secret=st.sampled_from(["one", "two"]),
    type=st.sampled_from(["", "mysql"]),
    provider=st.sampled_from(["", "me"]),
    env=st.lists(st.tuples(NAMES, st.sampled_from(["host", "type"])), max_size=3, unique=True),
    containers=st.sampled_from([(), ("app",), ("none",)]),
)
OWN: list[dict[str, Any]] = [
    {"name": "X", "value": "1"},
    {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "one", "key": "k"}}},
    {"name": "SERVICE_BINDING_ROOT", "value": "/own"},
]
OWN_ENV = st.lists(st.sampled_from(OWN), max_size=3, unique_by=lambda each: str(each["name"]))


def without_empty_annotations(workload: Object) -> Object:
    """An empty map of annotations says nothing."""
    metadata = {k: v for k, v in workload["metadata"].items() if k != "annotations" or v}
    return workload | {"metadata": metadata}


@given(OWN_ENV, st.lists(PROJECTIONS, max_size=4, unique_by=lambda each: each.uid), st.randoms())
def test_whatever_is_bound_in_whatever_order_goes_again(
    env: list[dict[str, Any]], projections: list[Projection], chance: Any
) -> None:
    workload = a_workload({"name": "app", **({"env": env} if env else {})}, {"name": "side"})
    found = bound(workload, *projections)
    assert all(is_projected(found, each.uid) for each in projections)
    assert bound(found, *projections) == found, "it settles"
    shuffled = list(projections)
    chance.shuffle(shuffled)
    assert bound(workload, *shuffled)["spec"] == found["spec"], "the order does not matter"
    chance.shuffle(shuffled)
    assert merge_patch(workload, create_merge_patch(workload, found)) == found
    for each in shuffled:
        found = unproject(found, each.uid, PODSPECABLE, "v1")
    assert without_empty_annotations(found) == workload
