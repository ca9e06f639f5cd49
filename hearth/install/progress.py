"""What an installation still waits for, and where the gateway is in the end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, generation, name

_TROUBLE = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)


WAITED_FOR = frozenset(
    {"CustomResourceDefinition", "Deployment", "StatefulSet", "HorizontalPodAutoscaler"}
)


def missing(obj: Object) -> str | None:
    """Say what an object lacks before it is in service; None when it lacks nothing."""
    match obj["kind"]:
        case "CustomResourceDefinition":
            established = Conditions.of(obj).is_true("Established")
            return None if established else "not established"
        case "Deployment" | "StatefulSet":
            return _missing_pods(obj)
        case "HorizontalPodAutoscaler":
            # How many there are to be at least is its word: the Deployment begins with one.
            least, status = int(obj["spec"].get("minReplicas", 1)), obj.get("status") or {}
            asked = max(1, *(int(status.get(f"{of}Replicas", 0)) for of in ("current", "desired")))
            return None if asked >= least else f"has asked for {asked} of at least {least} pods"
    return None


def _missing_pods(obj: Object) -> str | None:
    status, wanted = obj.get("status") or {}, int(obj["spec"].get("replicas", 1))
    if int(status.get("observedGeneration", 0)) < generation(obj):
        return "its controller has not seen it"
    ready = "availableReplicas" if obj["kind"] == "Deployment" else "readyReplicas"
    serving = min(int(status.get(ready, 0)), int(status.get("updatedReplicas", 0)))
    if serving < wanted:
        return f"{serving} of {wanted} pods ready"
    if obj["kind"] == "Deployment" and int(status.get("replicas", 0)) > wanted:
        ending = int(status["replicas"]) - wanted
        pods = "pod of the last version is" if ending == 1 else "pods of the last version are"
        return f"{ending} {pods} ending"
    return None


def troubles(pods: Iterable[Object], claims: Iterable[Object] = ()) -> Iterator[str]:
    """Say why pods do not get ready, where they tell."""
    for pod in pods:
        for condition in (pod.get("status") or {}).get("conditions") or ():
            if condition.get("reason") == "Unschedulable":
                yield f"pod {name(pod)} is not placed: {condition.get('message', '')}"
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _TROUBLE:
                why = f": {waiting['message']}" if waiting.get("message") else ""
                yield f"pod {name(pod)}: {waiting['reason']}{why}"
    for claim in claims:
        if (claim.get("status") or {}).get("phase") == "Pending":
            storage = (claim.get("spec") or {}).get("storageClassName")
            which = f"storage class {storage}" if storage else "the default storage class"
            yield (
                f"volume claim {name(claim)} is not bound: {which} gave no volume "
                "(--set broker.storage.className=NAME chooses another)"
            )


def gateway_address(service: Object, nodes: Sequence[Object]) -> tuple[str | None, str]:
    """Return where the gateway is reached from outside, None for nowhere yet, and a remark."""
    spec, port = service["spec"], service["spec"]["ports"][0]
    for entry in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
        return _url(str(entry.get("ip") or entry.get("hostname")), int(port["port"])), ""
    if port.get("nodePort"):
        host = next(_node_addresses(nodes), None)
        remark = (
            "the load balancer has no address yet; this is a node's port"
            if spec.get("type") == "LoadBalancer"
            else ""
        )
        if host is not None:
            return _url(host, int(port["nodePort"])), remark
    inside = f"http://{name(service)}.{service['metadata']['namespace']}.svc"
    return None, (
        f"the gateway is reached inside the cluster only, as {inside}; "
        f"`kubectl -n {service['metadata']['namespace']} port-forward service/{name(service)} "
        "8080:80` opens it here"
    )


def _node_addresses(nodes: Sequence[Object]) -> Iterator[str]:
    for kind in ("ExternalIP", "InternalIP"):
        for node in nodes:
            for address in (node.get("status") or {}).get("addresses") or ():
                if address.get("type") == kind:
                    yield str(address["address"])


def _url(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}" if port == 80 else f"http://{shown}:{port}"
