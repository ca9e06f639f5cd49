"""What SinkBindings do to workloads that are written, and what is asked about for them."""

from typing import Any

import pytest

from eventing.kinds.bindinghook import BindingHook, Index, SelectionMode, webhook
from hearth.kube.admission import ALLOWED, CREATE, DELETE, UPDATE, AdmissionRequest
from hearth.kube.manager import Manager
from hearth.kube.meta import Object
from hearth.kube.testing import FakeClient
from hearth.kube.webhooks import configuration

DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}
SINK = {"name": "K_SINK", "value": "http://sink"}
NO_OVERRIDES = {"name": "K_CE_OVERRIDES"}


def binding(
    title: str = "b", *, sink: str = "http://sink", seen: int = 2, **subject: Any
) -> Object:
    return {
        "metadata": {"name": title, "namespace": "ns", "generation": 2},
        "spec": {"subject": {**DEPLOYMENT, "namespace": "ns", **subject}},
        "status": {"sinkUri": sink, "observedGeneration": seen},
    }


def deployment(name: str = "d", **labels: str) -> Object:
    pod = {"containers": [{"name": "c"}]}
    metadata = {"name": name, "namespace": "ns", "labels": labels}
    return {"metadata": metadata, "spec": {"template": {"spec": pod}}}


def env(bindings: list[Object], obj: Object, where: str = "ns", kind: str = "Deployment") -> Any:
    bound = Index(bindings).bind("apps", kind, where, obj)
    return bound["spec"]["template"]["spec"]["containers"][0].get("env")


def test_a_workload_is_bound_by_its_name_or_its_labels() -> None:
    labelled: dict[str, Any] = {"selector": {"matchLabels": {"a": "b"}}}
    assert env([binding(name="d")], deployment()) == [SINK, NO_OVERRIDES]
    assert env([binding(name="d")], deployment("other")) is None
    assert env([binding(**labelled)], deployment(a="b")) == [SINK, NO_OVERRIDES]
    assert env([binding(**labelled)], deployment(a="c")) is None
    assert env([binding(selector={})], deployment()) == [SINK, NO_OVERRIDES]
    assert env([binding(selector={})], deployment(), where="other") is None
    assert env([binding(selector={})], deployment(), kind="StatefulSet") is None


def test_a_sink_that_is_not_known_or_of_an_older_spec_changes_nothing() -> None:
    assert env([binding(selector={}, sink="")], deployment()) is None
    assert env([binding(selector={}, seen=1)], deployment()) is None


def test_a_binding_that_goes_takes_its_variables_along() -> None:
    bound = Index([binding(selector={})]).bind("apps", "Deployment", "ns", deployment())
    going = binding(selector={})
    going["metadata"]["deletionTimestamp"] = "2026-11-29T00:00:00Z"
    assert env([going], bound) is None


def test_the_last_by_name_of_several_counts() -> None:
    several = [binding("b", sink="http://b", selector={}), binding("a", selector={})]
    assert env(several, deployment()) == [{"name": "K_SINK", "value": "http://b"}, NO_OVERRIDES]


def test_one_that_cannot_be_read_concerns_nobody() -> None:
    bad = binding(selector={"matchExpressions": [{"key": "k", "operator": "Sometimes"}]})
    assert env([bad, binding("c", selector={})], deployment()) == [SINK, NO_OVERRIDES]


def test_what_is_asked_about_are_the_kinds_that_are_named() -> None:
    job = binding("j", apiVersion="batch/v1", kind="Job", name="j")
    index = Index([binding(name="d"), binding("e", selector={}), job])
    rules = [(r["apiGroups"], r["resources"]) for r in webhook(index.kinds).rules]
    assert rules == [(["apps"], ["deployments"]), (["batch"], ["jobs"])]
    assert webhook().rules == ()


@pytest.mark.parametrize(
    ("mode", "expression"),
    [
        (
            SelectionMode.EXCLUSION,
            {"key": "bindings.knative.dev/exclude", "operator": "NotIn", "values": ["true"]},
        ),
        (
            SelectionMode.INCLUSION,
            {"key": "bindings.knative.dev/include", "operator": "In", "values": ["true"]},
        ),
    ],
)
def test_labels_say_what_is_asked_about(mode: SelectionMode, expression: Any) -> None:
    [hook] = configuration(webhook((), mode), {"url": "https://x"}, trusted_user="us")["webhooks"]
    assert hook["objectSelector"] == {"matchExpressions": [expression]}
    ours, others = hook["namespaceSelector"]["matchExpressions"]
    assert ours == expression
    assert others["values"] == ["knative-serving", "knative-eventing"]
    assert hook["reinvocationPolicy"] == "IfNeeded"
    assert "matchConditions" not in hook, "what we write ourselves is bound as well"


def request(operation: str = CREATE, **more: Any) -> AdmissionRequest:
    return AdmissionRequest(
        **{
            "uid": "1",
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "resource": "deployments",
            "operation": operation,
            "namespace": "ns",
            "object": deployment(),
            **more,
        }
    )


async def test_the_hook_goes_by_the_bindings_of_the_moment() -> None:
    manager = Manager(FakeClient(), name="tests")
    hook = BindingHook()
    assert hook.admit(request()) is ALLOWED
    hook.follow(manager)
    from eventing.kinds.sinkbinding import SINKBINDING_SOURCE

    cache = manager.cache(SINKBINDING_SOURCE)
    cache._store(("ns", "b"), binding(selector={}))
    for operation in (CREATE, UPDATE):
        changed = hook.admit(request(operation)).changed
        assert changed is not None
        [container] = changed["spec"]["template"]["spec"]["containers"]
        assert container["env"] == [SINK, NO_OVERRIDES]
    assert hook.admit(request(subresource="scale")) is ALLOWED
    assert hook.admit(request(DELETE, object=None)) is ALLOWED
