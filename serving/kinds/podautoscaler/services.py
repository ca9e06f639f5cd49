"""The two Services of a revision: the public and the private one. Pure."""

from __future__ import annotations

from hearth.knative.names import child_name
from hearth.kube import meta
from hearth.kube.meta import Object, labels, name, namespace, owner_reference
from hearth.kube.resources import SERVICES
from serving.api import keys, views
from serving.api.extraports import ports_of
from serving.kinds.metadata import without
from serving.kinds.podautoscaler.burst import NOBODY, asks_for_burst
from serving.kinds.ports import SERVICE_PORTS


def private_name(podautoscaler: Object) -> str:
    """Return the name of a revision's private Service."""
    return child_name(name(podautoscaler), "-private")


def make_revision_services(podautoscaler: Object, *, to_pods: bool = True) -> tuple[Object, Object]:
    """Return the public and the private Service of a revision.

    Knative's public one leads to the activator or to the pods in turn, its private one always to
    the pods. So do those of a revision that asks for a burst capacity: ``to_pods`` says which. Of
    others the public one alone selects the pods: a second set of EndpointSlices would be one more
    write between a request for a service at zero and its answer, for nobody.
    """
    has_both = asks_for_burst(podautoscaler)
    protocol = views.PodAutoscaler(podautoscaler).protocol
    port_name, number = SERVICE_PORTS.get(protocol, SERVICE_PORTS[keys.PROTOCOL_HTTP1])
    port = {
        "name": port_name,
        "port": number,
        "protocol": "TCP",
        "targetPort": keys.USER_PORT_NAME,
    }

    further = [each.service_port() for each in ports_of(meta.annotations(podautoscaler))]

    def service(service_name: str, kind: str) -> Object:
        marks = {keys.SERVERLESS_SERVICE: name(podautoscaler), keys.SERVICE_TYPE: kind}
        chosen = {keys.REVISION_UID: labels(podautoscaler).get(keys.REVISION_UID, "")}
        if kind == keys.SERVICE_TYPE_PUBLIC and has_both and not to_pods:
            chosen |= NOBODY
        selects = {"selector": chosen} if kind == keys.SERVICE_TYPE_PUBLIC or has_both else {}
        return {
            "apiVersion": SERVICES.api_version,
            "kind": SERVICES.kind,
            "metadata": {
                "name": service_name,
                "namespace": namespace(podautoscaler),
                "labels": {**labels(podautoscaler), **marks},
                "annotations": without(
                    meta.annotations(podautoscaler), keys.METRIC.spellings.__contains__
                ),
                "ownerReferences": [owner_reference(podautoscaler)],
            },
            "spec": {"type": "ClusterIP", "ports": [dict(port), *further], **selects},
        }

    return (
        service(name(podautoscaler), keys.SERVICE_TYPE_PUBLIC),
        service(private_name(podautoscaler), keys.SERVICE_TYPE_PRIVATE),
    )
