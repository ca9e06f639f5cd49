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
EVENTTYPES = Resource("eventing.knative.dev", "v1beta3", "eventtypes", "EventType")
EVENTPOLICIES = Resource("eventing.knative.dev", "v1alpha1", "eventpolicies", "EventPolicy")
EVENTTRANSFORMS = Resource("eventing.knative.dev", "v1alpha1", "eventtransforms", "EventTransform")
REQUESTREPLIES = Resource("eventing.knative.dev", "v1alpha1", "requestreplies", "RequestReply")
CHANNELS = Resource("messaging.knative.dev", "v1", "channels", "Channel")
INMEMORYCHANNELS = Resource("messaging.knative.dev", "v1", "inmemorychannels", "InMemoryChannel")
KAFKACHANNELS = Resource("messaging.knative.dev", "v1beta1", "kafkachannels", "KafkaChannel")
NATSJETSTREAMCHANNELS = Resource(
    "messaging.knative.dev", "v1alpha1", "natsjetstreamchannels", "NatsJetStreamChannel"
)
SUBSCRIPTIONS = Resource("messaging.knative.dev", "v1", "subscriptions", "Subscription")
SEQUENCES = Resource("flows.knative.dev", "v1", "sequences", "Sequence")
PARALLELS = Resource("flows.knative.dev", "v1", "parallels", "Parallel")
PINGSOURCES = Resource("sources.knative.dev", "v1", "pingsources", "PingSource")
APISERVERSOURCES = Resource("sources.knative.dev", "v1", "apiserversources", "ApiServerSource")
CONTAINERSOURCES = Resource("sources.knative.dev", "v1", "containersources", "ContainerSource")
SINKBINDINGS = Resource("sources.knative.dev", "v1", "sinkbindings", "SinkBinding")
INTEGRATIONSOURCES = Resource(
    "sources.knative.dev", "v1alpha1", "integrationsources", "IntegrationSource"
)
KAFKASOURCES = Resource("sources.knative.dev", "v1", "kafkasources", "KafkaSource")
WEBHOOKSOURCES = Resource("sources.hearth.dev", "v1alpha1", "webhooksources", "WebhookSource")
"""Hearth's own."""
JOBSINKS = Resource("sinks.knative.dev", "v1alpha1", "jobsinks", "JobSink")
INTEGRATIONSINKS = Resource("sinks.knative.dev", "v1alpha1", "integrationsinks", "IntegrationSink")
KAFKASINKS = Resource("eventing.knative.dev", "v1alpha1", "kafkasinks", "KafkaSink")
