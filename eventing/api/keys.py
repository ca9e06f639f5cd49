"""Names of Knative Eventing's annotations, labels, conditions and places, and of our own."""

GROUP = "eventing.knative.dev"
SYSTEM_NAMESPACE = "knative-eventing"
INGRESS_SERVICE = "broker-ingress"
"""The Service by which events come to the broker."""

BROKER_LABEL = f"{GROUP}/broker"
BROKER_CLASS_ANNOTATION = f"{GROUP}/broker.class"
INJECTION_ANNOTATION = f"{GROUP}/injection"
SCOPE_ANNOTATION = f"{GROUP}/scope"
SUBSCRIBABLE_ANNOTATION = "messaging.knative.dev/subscribable"
DEPENDENCY_ANNOTATION = "knative.dev/dependency"

BROKER_CLASS = "MTChannelBasedBroker"
"""The class existing YAML names by default; Hearth's broker serves it."""

KAFKA_CLASS = "Kafka"
"""Brokers of this class are kept by Kafka."""
KAFKA_NAMESPACED_CLASS = "KafkaNamespaced"
"""The same, by what a ConfigMap of their own namespace says."""
NATS_CLASS = "NatsJetStreamBroker"
"""Brokers of this class are kept by NATS JetStream."""

CONFIG_CHANNEL = "config-br-default-channel"

SUBSCRIBED_ANNOTATION = "eventing.hearth.dev/subscribed"
"""In a Trigger's status: the generation whose events the broker process keeps for it."""
CLOSED_ANNOTATION = "eventing.hearth.dev/closed"
"""In the status of a KafkaSink that is to go: the broker process is done with it."""
OPENED_ANNOTATION = "eventing.hearth.dev/opened"
"""In a Broker's status: the broker process has its log open and takes events."""
PROBLEM_ANNOTATION = "eventing.hearth.dev/problem"
"""In a Broker's status: why the broker process cannot open its log."""
LAG_ANNOTATION = "eventing.hearth.dev/lag"
"""In a Trigger's status: how many events it has still to get, roughly; not there for a few."""
MOVED_FROM_ANNOTATION = "eventing.hearth.dev/moved-from"
"""Of a Broker: the class it had before; its events are brought from there."""
MOVED_ANNOTATION = "eventing.hearth.dev/moved"
"""In a Broker's status: ``FROM>TO`` once all that is kept is where its class says."""
START_ANNOTATION = "eventing.hearth.dev/start"
"""Of a Trigger: which event of its Broker is the first that it gets, when it is new."""
STARTS = ("earliest", "latest")
"""The oldest one that is still kept; the next one, which is what is meant where nothing is said."""

SUBSCRIBER_OPTIONS_ANNOTATION = "eventing.hearth.dev/subscriber-options"
"""Of a channel: what the annotations of its Subscriptions ask for, as JSON, by their uid."""

HANDED_ON_ANNOTATION = "eventing.hearth.dev/handed-on"
"""Of a channel: which of its annotations are those of what it was made for."""

JOURNEYS_FLAG = "event-journeys"
"""In config-features: whether the broker process keeps what becomes of each event."""

DEAD_LETTER_SINK_ANNOTATION = "eventing.hearth.dev/dead-letter-sink"
"""Of a JobSink: where events go whose Jobs fail, a destination as JSON. In its status: the URL."""

ADAPTER_PROBLEM_ANNOTATION = "eventing.hearth.dev/adapter-problem"
"""In a PingSource's status: the generation that the adapter cannot read, and why."""

POD_ADDRESS_ANNOTATION = "eventing.hearth.dev/pod-address"
"""In an IntegrationSink's status: where the broker process hands its events on to."""
POD_SENDER_ANNOTATION = "eventing.hearth.dev/pod-sender"
"""In an IntegrationSink's status: the account that the broker shows its pod a token of."""
POD_CERTIFICATE_ANNOTATION = "eventing.hearth.dev/pod-certificate"
"""In an IntegrationSink's status: the Secret with the certificate that its pod is to show, which
the broker process makes."""

ENCRYPTION_FLAG = "transport-encryption"
"""In config-features: whether addresses have https."""
PERMISSIVE, STRICT = "permissive", "strict"
"""Both may be used; https alone."""
SHARED_INGRESS_CONFIG_MAP = "hearth-shared-ingress"
"""Says which Service leads to the ingress of Brokers that several processes share."""
TLS_CONFIG_MAP = "hearth-broker-tls"
"""Where the broker process tells that it serves TLS, and whom to trust."""

OIDC_LABEL = f"{GROUP}/oidc"
"""Of the service accounts that objects send as."""
OIDC_FLAG = "authentication-oidc"
"""In config-features: whether who sends must say who he is."""
DISCOVERY_FLAG = "oidc-discovery-base-url"
"""In config-features: where the issuer of service accounts' tokens tells of itself."""
DEFAULT_DISCOVERY = "https://kubernetes.default.svc"
"""The API server."""
AUTHORIZATION_FLAG = "default-authorization-mode"
"""In config-features: who may send where no EventPolicy says so."""

OBSERVABILITY = "config-observability"
"""Where traces of events go, and how many of them."""

EVENT_RATE_FLAG = "namespace-event-rate"
"""In config-features: how many events a second each namespace may send; 0 for no limit."""

EVENT_DISK_FLAG = "namespace-event-disk"
"""In config-features: how many bytes each namespace's events may take on disk; 0 for no limit."""

READY = "Ready"
ADDRESSABLE = "Addressable"
INGRESS_READY = "IngressReady"
FILTER_READY = "FilterReady"
TRIGGER_CHANNEL_READY = "TriggerChannelReady"
DEAD_LETTER_SINK_RESOLVED = "DeadLetterSinkResolved"
EVENT_POLICIES_READY = "EventPoliciesReady"

BROKER_READY = "BrokerReady"
SUBSCRIPTION_READY = "SubscriptionReady"
SUBSCRIBER_RESOLVED = "SubscriberResolved"
DEPENDENCY_READY = "DependencyReady"
OIDC_IDENTITY_CREATED = "OIDCIdentityCreated"

BACKING_CHANNEL_READY = "BackingChannelReady"
CHANNEL_SERVICE_READY = "ChannelServiceReady"
DISPATCHER_READY = "DispatcherReady"
ENDPOINTS_READY = "EndpointsReady"
SERVICE_READY = "ServiceReady"
STREAM_READY = "StreamReady"

ADDED_TO_CHANNEL = "AddedToChannel"
CHANNEL_READY = "ChannelReady"
REFERENCES_RESOLVED = "ReferencesResolved"

TOPIC_READY = "TopicReady"

SINK_PROVIDED = "SinkProvided"
