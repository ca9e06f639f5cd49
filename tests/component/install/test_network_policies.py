"""The NetworkPolicies let through what Hearth needs, and what it does not need they keep out.

What it needs is recorded: ``flows.txt`` has the connections to Hearth's pods that were opened on a
real Kubernetes while suites ran (``tests/bench/cluster/flows.py``). No cluster is asked here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hearth.install.bundle import Choice, objects_of
from hearth.kube.install import config_folder
from tests.bench.cluster.flows import APP, OUTSIDE, POD, Flow, read
from tests.networkpolicies import Outside, PodEnd, Policies, namespace_labels, pod_end

OVERLAYS = ("none", "ha", "nodeport", "loadbalancer", "small", "internal")
RECORDED = sorted(read(Path(__file__).with_name("flows.txt")))
KUBELET_ONLY = {"health"}
"""Ports that the node of a pod asks alone; policies let a pod's own node in always."""
NOT_TRIED = {("hearth-activator", "https"), ("hearth-activator", "internal-tls")}
"""Nobody asked for a certificate while flows were recorded, so nobody listened there."""
USERS_POD = PodEnd("somewhere", {"app": "anything"}, {})
FAR = Outside("192.0.2.7")


class Installed:
    """The policies of an overlay, and the pods that they are about."""

    def __init__(self, overlay: str) -> None:
        objects = objects_of(config_folder(), Choice((overlay,)))
        found = [obj for obj in objects if obj["kind"] == "NetworkPolicy"]
        spaces = namespace_labels(objects) | {USERS_POD.namespace: {}}
        self.policies = Policies(found, spaces)
        workloads = [obj for obj in objects if obj["kind"] in ("Deployment", "StatefulSet")]
        self.pods = {end.labels[APP]: end for end in map(pod_end, workloads)}

    def port_name(self, flow: Flow) -> str:
        return next(name for name, port in self.pods[flow.app].ports.items() if port == flow.port)

    def allow(self, flow: Flow) -> bool:
        others: dict[str, PodEnd | Outside] = {OUTSIDE: FAR, POD: USERS_POD}
        source = others.get(flow.source) or self.pods[flow.source]
        return self.policies.allow(source, self.pods[flow.app], flow.port)


@pytest.fixture(scope="module", params=OVERLAYS)
def installed(request: pytest.FixtureRequest) -> Installed:
    return Installed(request.param)


def test_every_recorded_connection_is_let_through(installed: Installed) -> None:
    flows = [
        flow
        for flow in RECORDED
        if not (flow.source == OUTSIDE and installed.port_name(flow) in KUBELET_ONLY)
    ]
    assert len(flows) > 10
    assert [flow for flow in flows if not installed.allow(flow)] == []


def test_every_port_was_used_by_somebody() -> None:
    """A port that nobody has used is one too many, or was not tried while flows were recorded."""
    installed = Installed("none")
    declared = {
        (app, port)
        for app, pod in installed.pods.items()
        for name, port in pod.ports.items()
        if (app, name) not in NOT_TRIED
    }
    assert declared - {(flow.app, flow.port) for flow in RECORDED} == set()


def test_https_is_let_through_where_http_is(installed: Installed) -> None:
    for source in (OUTSIDE, POD):
        for plain, secured in (("http", "https"), ("internal", "internal-tls")):
            ports = installed.pods["hearth-activator"].ports
            answers = {
                installed.allow(Flow(source, "hearth-activator", ports[name]))
                for name in (plain, secured)
            }
            assert len(answers) == 1


@pytest.mark.parametrize(
    ("source", "app", "port"),
    [
        (OUTSIDE, "hearth-activator", "internal-tls"),
        (POD, "hearth-activator", "peers"),
        (POD, "hearth-control", "health"),
        (POD, "hearth-activator", "health"),
        (POD, "hearth-broker", "health"),
        (OUTSIDE, "hearth-control", "metrics"),
        (OUTSIDE, "hearth-activator", "peers"),
        (OUTSIDE, "hearth-activator", "internal"),
        (OUTSIDE, "hearth-activator", "metrics"),
        (OUTSIDE, "hearth-broker", "https"),
        (OUTSIDE, "hearth-broker", "metrics"),
        ("hearth-broker", "hearth-activator", "peers"),
        ("hearth-control", "hearth-activator", "peers"),
    ],
)
def test_what_nobody_needs_is_kept_out(
    installed: Installed, source: str, app: str, port: str
) -> None:
    assert not installed.allow(Flow(source, app, installed.pods[app].ports[port]))


def test_all_of_hearths_pods_are_kept(installed: Installed) -> None:
    strange = [Flow(POD, app, 12345) for app in installed.pods]
    assert [flow for flow in strange if installed.allow(flow)] == []
