"""Pods of adapters: what they run, and what careful clusters demand of them."""

from __future__ import annotations

from typing import Any

from eventing.kinds.adapters import Adapters, adapter_deployment
from eventing.kinds.placement import Placement


def made(adapters: Adapters) -> dict[str, Any]:
    return adapter_deployment(
        adapters,
        metadata={"name": "a", "namespace": "ns"},
        component="pingsource",
        labels={"l": "m"},
        account="who",
        env=[{"name": "MORE", "value": "x"}],
        pod={"nodeSelector": {"disk": "fast"}},
    )


def test_in_a_cluster_they_are_restricted_and_have_an_account() -> None:
    deployment = made(Adapters("registry/hearth:1"))
    assert deployment["metadata"] == {"name": "a", "namespace": "ns", "labels": {"l": "m"}}
    assert deployment["spec"]["selector"]["matchLabels"] == {"l": "m"}
    template = deployment["spec"]["template"]
    own = {"app.kubernetes.io/part-of": "hearth", "eventing.hearth.dev/adapter": "pingsource"}
    assert template["metadata"]["labels"] == {"l": "m", **own}
    pod = template["spec"]
    assert pod["serviceAccountName"] == "who"
    assert pod["nodeSelector"] == {"disk": "fast"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["readinessProbe"] and container["livenessProbe"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    ports = {port["name"] for port in container["ports"]}
    assert container["readinessProbe"]["httpGet"]["port"] in ports


def test_on_one_machine_they_listen_to_it_alone() -> None:
    pod = made(Adapters("hearth.dev/hearth", "127.0.0.1", in_cluster=False))["spec"]["template"]
    [container] = pod["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["HEARTH_HOST"] == "127.0.0.1" and env["MORE"] == "x"
    assert "serviceAccountName" not in pod["spec"]
    assert "volumes" not in pod["spec"] and "volumeMounts" not in container
    assert container["args"] == ["run", "pingsource"]


def test_they_run_where_control_does_but_for_what_a_template_says() -> None:
    own = {"nodeSelector": {"disk": "slow"}, "priorityClassName": "hearth"}
    adapters = Adapters("i", placement=Placement(own, "Always"))
    pod = made(adapters)["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "hearth"
    assert pod["nodeSelector"] == {"disk": "fast"}, "its own"
    assert pod["containers"][0]["imagePullPolicy"] == "Always"
