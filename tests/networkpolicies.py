"""What NetworkPolicies let through, as Kubernetes' API describes them. Pure.

For clusters whose network plugin does not enforce them, and for tests that need no cluster: a flow
is a source, a pod and a port. Ingress only; whoever is no pod is known by its address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.kube.meta import Object, labels, metadata, namespace
from hearth.kube.selectors import selector_from_object


@dataclass(frozen=True, slots=True)
class PodEnd:
    """A pod as one end of a connection."""

    namespace: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]
    """Its named ports."""


@dataclass(frozen=True, slots=True)
class Outside:
    """An end that is no pod: a node, the API server, a client outside of the cluster."""

    address: str


@dataclass(frozen=True, slots=True)
class Policies:
    """NetworkPolicies, and the labels of namespaces that they select by."""

    policies: Sequence[Object]
    namespaces: Mapping[str, Mapping[str, str]]

    def allow(self, source: PodEnd | Outside, target: PodEnd, port: int) -> bool:
        """Whether a TCP connection to a pod may be opened.

        Where no policy selects the pod, everything may; else what any of those that do says.
        """
        about = [policy for policy in self.policies if _selects(policy, target)]
        rules = [rule for policy in about for rule in policy["spec"].get("ingress") or ()]
        return not about or any(
            self._comes_from(rule, source, target) and _leads_to(rule, target, port)
            for rule in rules
        )

    def _comes_from(
        self, rule: Mapping[str, Any], source: PodEnd | Outside, target: PodEnd
    ) -> bool:
        peers = rule.get("from")
        return not peers or any(self._is(peer, source, target.namespace) for peer in peers)

    def _is(self, peer: Mapping[str, Any], source: PodEnd | Outside, here: str) -> bool:
        if isinstance(source, Outside):
            return "ipBlock" in peer and _is_within(peer["ipBlock"], source.address)
        if "ipBlock" in peer:
            return False  # Not for pods, whose addresses come and go.
        if "namespaceSelector" in peer:
            of_namespace = self.namespaces.get(source.namespace, {})
            if not selector_from_object(peer["namespaceSelector"]).matches(of_namespace):
                return False
        elif source.namespace != here:
            return False
        return selector_from_object(peer.get("podSelector")).matches(source.labels)


def pod_end(workload: Object) -> PodEnd:
    """Return what the pods of a Deployment or StatefulSet are to policies."""
    template = workload["spec"]["template"]
    containers = template["spec"]["containers"]
    ports = {
        port["name"]: int(port["containerPort"])
        for container in containers
        for port in container.get("ports") or ()
    }
    return PodEnd(namespace(workload), metadata(template).get("labels") or {}, ports)


def _selects(policy: Object, pod: PodEnd) -> bool:
    types = policy["spec"].get("policyTypes") or ["Ingress"]
    selector = selector_from_object(policy["spec"].get("podSelector"))
    return (
        "Ingress" in types and namespace(policy) == pod.namespace and selector.matches(pod.labels)
    )


def _leads_to(rule: Mapping[str, Any], target: PodEnd, port: int) -> bool:
    wanted = rule.get("ports")
    return not wanted or any(_is_port(each, target, port) for each in wanted)


def _is_port(wanted: Mapping[str, Any], target: PodEnd, port: int) -> bool:
    if wanted.get("protocol", "TCP") != "TCP":
        return False
    first = wanted.get("port")
    if first is None:
        return True
    if isinstance(first, str):
        return target.ports.get(first) == port
    return int(first) <= port <= int(wanted.get("endPort", first))


def _is_within(block: Mapping[str, Any], address: str) -> bool:
    found = ipaddress.ip_address(address)
    return found in ipaddress.ip_network(block["cidr"]) and not any(
        found in ipaddress.ip_network(each) for each in block.get("except") or ()
    )


def namespace_labels(objects: Sequence[Object]) -> dict[str, dict[str, str]]:
    """Return the labels of Namespaces, with the one that Kubernetes gives each."""
    return {
        name: {**labels(obj), "kubernetes.io/metadata.name": name}
        for obj in objects
        if obj["kind"] == "Namespace"
        for name in [str(metadata(obj)["name"])]
    }
