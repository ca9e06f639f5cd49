"""The resources of Knative's API groups."""

from __future__ import annotations

from hearth.kube.resources import Resource

_SERVING = "serving.knative.dev"
KSERVICES = Resource(_SERVING, "v1", "services", "Service")
CONFIGURATIONS = Resource(_SERVING, "v1", "configurations", "Configuration")
REVISIONS = Resource(_SERVING, "v1", "revisions", "Revision")
ROUTES = Resource(_SERVING, "v1", "routes", "Route")
DOMAINMAPPINGS = Resource(_SERVING, "v1beta1", "domainmappings", "DomainMapping")
PODAUTOSCALERS = Resource(
    "autoscaling.internal.knative.dev", "v1alpha1", "podautoscalers", "PodAutoscaler"
)
KINGRESSES = Resource("networking.internal.knative.dev", "v1alpha1", "ingresses", "Ingress")
CERTIFICATES = Resource(
    "networking.internal.knative.dev", "v1alpha1", "certificates", "Certificate"
)
CLUSTERDOMAINCLAIMS = Resource(
    "networking.internal.knative.dev",
    "v1alpha1",
    "clusterdomainclaims",
    "ClusterDomainClaim",
    namespaced=False,
)
BROKERS = Resource("eventing.knative.dev", "v1", "brokers", "Broker")
TRIGGERS = Resource("eventing.knative.dev", "v1", "triggers", "Trigger")
