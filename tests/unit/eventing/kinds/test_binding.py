"""What a SinkBinding puts into pod templates, and that it comes out again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.kinds.binding import Bound, bind, change_of, overrides_text, pod_of
from hearth.kube.patch import merge_patch

BOUND = Bound("http://sink", overrides='{"extensions":{"x":"y"}}')
OWN = {"name": "PORT", "value": "1"}


def workload(**pod: Any) -> dict[str, Any]:
    metadata = {"name": "w", "resourceVersion": "7"}
    return {"metadata": metadata, "spec": {"replicas": 1, "template": {"spec": pod}}}


def env_of(obj: dict[str, Any], field: str = "containers") -> list[Any]:
    return [each.get("env") for each in obj["spec"]["template"]["spec"][field]]


def test_all_containers_are_told_after_their_own_variables() -> None:
    obj = workload(containers=[{"name": "a", "env": [OWN]}, {"name": "b"}], initContainers=[{}])
    told = [
        {"name": "K_SINK", "value": "http://sink"},
        {"name": "K_CE_OVERRIDES", "value": '{"extensions":{"x":"y"}}'},
    ]
    bound = bind(obj, BOUND)
    assert env_of(bound) == [[OWN, *told], told]
    assert env_of(bound, "initContainers") == [told]
    assert bound["spec"]["replicas"] == 1


def test_certificates_are_told_where_there_are_some_and_no_overrides_as_an_empty_value() -> None:
    assert Bound("https://s", "PEM").variables() == [
        {"name": "K_SINK", "value": "https://s"},
        {"name": "K_CA_CERTS", "value": "PEM"},
        {"name": "K_CE_OVERRIDES"},
    ]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, ""),
        ({"ceOverrides": {}}, "{}"),
        ({"ceOverrides": {"extensions": {"b": "1", "a": "2"}}}, '{"extensions":{"a":"2","b":"1"}}'),
    ],
)
def test_overrides_are_one_line_of_json(spec: dict[str, Any], text: str) -> None:
    assert overrides_text(spec) == text


def test_a_sink_with_an_audience_is_shown_a_token_of_the_pods_own_account() -> None:
    pod = bind(workload(containers=[{"name": "a"}]), Bound("http://s", audience="it"))
    spec = pod["spec"]["template"]["spec"]
    [volume] = spec["volumes"]
    [source] = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "it"
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": volume["name"], "mountPath": "/oidc", "readOnly": True}
    ]


def test_trust_bundles_are_in_a_folder_of_each_container() -> None:
    obj = workload(containers=[{"name": "a"}], initContainers=[{"name": "i"}])
    pod = bind(obj, Bound("https://s", audience="it", bundles=("one", "two")))
    spec = pod["spec"]["template"]["spec"]
    assert [each["name"] for each in spec["volumes"]] == ["oidc-token", "kne-bundle-volume"]
    sources = spec["volumes"][1]["projected"]["sources"]
    assert sources == [{"configMap": {"name": "one"}}, {"configMap": {"name": "two"}}]
    where = {"name": "kne-bundle-volume", "mountPath": "/knative-custom-certs", "readOnly": True}
    for field in ("containers", "initContainers"):
        assert where in spec[field][0]["volumeMounts"]
    assert bind(pod, None) == obj
    # A bundle that comes later changes the volume, not the mounts.
    more = bind(pod, Bound("https://s", audience="it", bundles=("one", "three", "two")))
    assert len(more["spec"]["template"]["spec"]["volumes"]) == 2


@pytest.mark.parametrize(
    "obj", [{}, {"spec": None}, {"spec": {"template": 3}}, {"spec": {"template": {"spec": []}}}]
)
def test_what_holds_no_pod_template_is_left_alone(obj: dict[str, Any]) -> None:
    assert pod_of(obj) is None
    assert bind(obj, BOUND) is obj
    assert change_of(obj, BOUND) is None


NAMES = st.sampled_from(["PORT", "K_SINKS", "PATH"])
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abc")},
        optional={
            "env": st.lists(st.fixed_dictionaries({"name": NAMES, "value": st.text()}), min_size=1)
        },
    ),
    max_size=3,
)


VOLUMES = st.lists(st.fixed_dictionaries({"name": st.sampled_from("xyz")}), min_size=1, max_size=2)


@given(containers=CONTAINERS, init=CONTAINERS, volumes=st.none() | VOLUMES)
def test_binding_is_done_once_and_undone_without_a_trace(
    containers: Any, init: Any, volumes: Any
) -> None:
    more = {} if volumes is None else {"volumes": volumes}
    obj = workload(containers=containers, initContainers=init, **more)
    bound = bind(obj, BOUND)
    assert bind(bound, BOUND) == bound
    assert change_of(bound, BOUND) is None
    other = Bound("http://other", "PEM")
    assert bind(bound, other) == bind(obj, other)
    assert bind(bound, None) == obj
    with_token = Bound("http://sink", audience="a")
    assert bind(bind(obj, with_token), BOUND) == bound
    for before, wanted in ((obj, BOUND), (obj, None), (obj, with_token), (bound, with_token)):
        patch = change_of(before, wanted)
        if patch is not None:
            assert merge_patch(before, patch) == bind(before, wanted)
    for wanted in (BOUND, None):
        patch = change_of(bind(obj, with_token), wanted)
        if patch is not None:
            assert patch["metadata"] == {"resourceVersion": "7"}
            assert merge_patch(bind(obj, with_token), patch) == bind(obj, wanted)
