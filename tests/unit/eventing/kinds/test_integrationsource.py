"""IntegrationSource: the ContainerSource that is made, and what is told."""

from __future__ import annotations

import json
from typing import Any

from eventing.kinds import integrationsource
from eventing.kinds.positions import Kept
from eventing.kinds.settings import ControlSettings
from hearth.kube.plan import Create, Update, UpdateStatus

SETTINGS = ControlSettings("http://h", frozenset())
SINK = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "s"}}


def a_source(**spec: Any) -> Any:
    head = {"apiVersion": "sources.knative.dev/v1alpha1", "kind": "IntegrationSource"}
    return {**head, "metadata": {"name": "i", "namespace": "ns", "uid": "u"}, "spec": spec}


TIMER = a_source(sink=SINK, timer={"period": 500, "message": "hi"}, ceOverrides={"extensions": {}})


def plan(source: Any, child: Any = None) -> Any:
    observed = integrationsource.Observed(source, child)
    return integrationsource.reconcile(observed, settings=SETTINGS, now=0)


def told(found: Any) -> Any:
    [update] = found.then
    assert isinstance(update, UpdateStatus)
    status = update.obj["status"]
    return status, {c["type"]: (c["status"], c.get("reason")) for c in status["conditions"]}


def test_a_container_source_does_the_work() -> None:
    [made, _] = plan(TIMER).actions
    assert isinstance(made, Create)
    child = made.obj
    assert child["metadata"]["name"] == "i-containersource"
    assert child["spec"]["sink"]["ref"]["namespace"] == "ns"
    [container] = child["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["run", "integrationsource"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert json.loads(env["K_SOURCE_CONFIG"]) == {"timer": {"period": 500, "message": "hi"}}
    assert plan(TIMER, child).actions == ()
    changed = a_source(sink=SINK, timer={"period": 600, "message": "hi"})
    [update, _] = plan(changed, child).actions
    assert isinstance(update, Update)


def test_readiness_and_sink_are_those_of_the_container_source() -> None:
    child: Any = plan(TIMER).actions[0].obj
    _, shown = told(plan(TIMER, child))
    assert shown["Ready"][0] == "Unknown"
    ready = {"type": "Ready", "status": "True"}
    auth = {"serviceAccountName": "a"}
    child["status"] = {"conditions": [ready], "sinkUri": "http://s", "auth": auth}
    status, shown = told(plan(TIMER, child))
    assert shown["Ready"][0] == "True"
    assert (status["sinkUri"], status["auth"]) == ("http://s", auth)
    assert status["ceAttributes"][0]["type"] == "dev.knative.eventing.timer"
    stranger = {**child, "metadata": {**child["metadata"], "ownerReferences": []}}
    found = plan(TIMER, stranger)
    assert found.actions == ()
    assert told(found)[1]["Ready"] == ("False", "NotOwned")


def test_a_service_of_aws_is_told_all_but_the_keys_which_are_in_a_secret() -> None:
    queue = {"arn": "a", "region": "r"}
    aws = {"sqs": queue, "auth": {"secret": {"ref": {"name": "keys"}}, "serviceAccountName": "me"}}
    [made, _] = plan(a_source(sink=SINK, aws=aws)).actions
    pod = made.obj["spec"]["template"]["spec"]
    [container] = pod["containers"]
    env = {each["name"]: each for each in container["env"]}
    config = json.loads(env["K_SOURCE_CONFIG"]["value"])
    assert config == {"aws": {"sqs": queue, "secret": "keys"}}
    reference = env["AWS_SECRET_ACCESS_KEY"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "keys", "key": "aws.secretKey"}
    assert env["AWS_ACCESS_KEY_ID"]["valueFrom"]["secretKeyRef"]["key"] == "aws.accessKey"
    assert env["AWS_SESSION_TOKEN"]["valueFrom"]["secretKeyRef"]["optional"] is True
    assert pod["serviceAccountName"] == "me"
    status, _ = told(plan(a_source(sink=SINK, aws=aws)))
    kind = "dev.knative.eventing.aws-sqs"
    assert status["ceAttributes"] == [{"type": kind, "source": f"{kind}-source"}]


def test_a_stream_is_told_when_its_source_was_made() -> None:
    aws = {"ddbStreams": {"table": "t"}, "auth": {"serviceAccountName": "me"}}
    source = a_source(sink=SINK, aws=aws)
    source["metadata"]["creationTimestamp"] = "1970-01-01T00:01:00Z"
    [*_, made, _] = plan(source).actions
    env = {
        each["name"]: each.get("value")
        for each in made.obj["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert json.loads(env["K_SOURCE_CONFIG"] or "")["aws"]["made"] == 60
    assert "AWS_ACCESS_KEY_ID" not in env


def test_why_its_adapter_ended_is_told() -> None:
    child: Any = plan(TIMER).actions[0].obj
    ended = {"terminated": {"exitCode": 78, "message": '{"message": "there is no queue q"}'}}
    pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [{"lastState": ended}]}}
    observed = integrationsource.Observed(TIMER, child, [pod])
    found = integrationsource.reconcile(observed, settings=SETTINGS, now=0)
    status, shown = told(found)
    assert shown["ContainerSourceReady"] == ("False", "AdapterFailed")
    [condition] = [c for c in status["conditions"] if c["type"] == "ContainerSourceReady"]
    assert condition["message"] == "there is no queue q"


def test_a_template_counts_but_for_its_containers() -> None:
    pod = {"nodeSelector": {"a": "b"}, "containers": [{"name": "x"}]}
    source = a_source(
        sink=SINK, timer={}, template={"metadata": {"labels": {"c": "d"}}, "spec": pod}
    )
    child = plan(source).actions[0].obj
    template = child["spec"]["template"]
    labels = template["metadata"]["labels"]
    own = {"app.kubernetes.io/name": "i", "eventing.hearth.dev/adapter": "integrationsource"}
    assert labels == {"c": "d", **own}
    assert template["spec"]["nodeSelector"] == {"a": "b"}
    assert [each["name"] for each in template["spec"]["containers"]] == ["integrationsource"]


def a_stream(**auth: Any) -> Any:
    source = a_source(sink=SINK, aws={"ddbStreams": {"table": "t", "region": "r"}, "auth": auth})
    source["metadata"]["creationTimestamp"] = "2026-11-29T10:00:00Z"
    return source


def test_a_stream_has_a_place_for_its_position_that_its_account_alone_may_change() -> None:
    config_map, role, binding, child, _ = plan(a_stream(serviceAccountName="me")).actions
    assert [each.obj["kind"] for each in (config_map, role, binding)] == [
        "ConfigMap",
        "Role",
        "RoleBinding",
    ]
    assert {each.obj["metadata"]["name"] for each in (config_map, role, binding)} == {"i-position"}
    [owner] = role.obj["metadata"]["ownerReferences"]
    assert owner["uid"] == "u"
    assert role.obj["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["i-position"],
            "verbs": ["get", "patch"],
        }
    ]
    assert binding.obj["roleRef"]["name"] == "i-position"
    [subject] = binding.obj["subjects"]
    assert (subject["name"], subject["namespace"]) == ("me", "ns")
    [container] = child.obj["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert json.loads(env["K_SOURCE_CONFIG"])["aws"]["position"] == "i-position"


def test_what_is_kept_there_is_left_alone_and_the_rights_are_put_right() -> None:
    source = a_stream()
    config_map, role, binding, child, _ = (each.obj for each in plan(source).actions)
    assert binding["subjects"][0]["name"] == "default"
    config_map["data"] = {"position": "far"}
    kept = Kept(config_map, role, binding)
    observed = integrationsource.Observed(source, child, (), kept)
    assert integrationsource.reconcile(observed, settings=SETTINGS, now=0).actions == ()
    wrong = Kept(config_map, role, {**binding, "subjects": []})
    observed = integrationsource.Observed(source, child, (), wrong)
    [update] = integrationsource.reconcile(observed, settings=SETTINGS, now=0).actions
    assert isinstance(update, Update) and update.obj["subjects"] == binding["subjects"]


def test_others_have_no_position() -> None:
    kinds = {each.obj["kind"] for each in plan(TIMER).actions}
    assert kinds == {"ContainerSource", "IntegrationSource"}
