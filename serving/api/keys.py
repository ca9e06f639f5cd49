"""Names that Knative Serving's objects carry: groups, labels, annotations, conditions, finalizers.

Every other module takes them from here. An annotation with an older spelling is an ``Aliases``:
the first spelling found wins, the first one listed is the one to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SERVING_GROUP = "serving.knative.dev"
AUTOSCALING_GROUP = "autoscaling.knative.dev"
OWN_AUTOSCALING_GROUP = "autoscaling.hearth.dev"
OWN_SERVING_GROUP = "serving.hearth.dev"
"""Hearth's own."""
AUTOSCALING_INTERNAL_GROUP = "autoscaling.internal.knative.dev"
NETWORKING_GROUP = "networking.knative.dev"
NETWORKING_INTERNAL_GROUP = "networking.internal.knative.dev"
CACHING_INTERNAL_GROUP = "caching.internal.knative.dev"
FEATURES_GROUP = "features.knative.dev"

SERVING_NAMESPACE = "knative-serving"
EVENTING_NAMESPACE = "knative-eventing"
CONTROL_COMPONENT = "hearth-serving"
"""What the Leases of controllers and autoscaler are called; each bucket has one holder for both."""


@dataclass(frozen=True, slots=True)
class Aliases:
    """The spellings of one annotation, in order of precedence."""

    spellings: tuple[str, ...]

    @property
    def key(self) -> str:
        """The spelling to write."""
        return self.spellings[0]

    def find(self, annotations: Mapping[str, str]) -> tuple[str, str] | None:
        """The spelling found and its value, or None."""
        for spelling in self.spellings:
            if spelling in annotations:
                return spelling, annotations[spelling]
        return None

    def value(self, annotations: Mapping[str, str], default: str = "") -> str:
        """Return the value under the first spelling that is there, or the default."""
        entry = self.find(annotations)
        return entry[1] if entry else default


def _aliases(*spellings: str) -> Aliases:
    return Aliases(spellings)


# -- labels that tie children to their parents -------------------------------------------------
SERVICE = f"{SERVING_GROUP}/service"
SERVICE_UID = f"{SERVING_GROUP}/serviceUID"
CONFIGURATION = f"{SERVING_GROUP}/configuration"
CONFIGURATION_UID = f"{SERVING_GROUP}/configurationUID"
CONFIGURATION_GENERATION = f"{SERVING_GROUP}/configurationGeneration"
REVISION = f"{SERVING_GROUP}/revision"
REVISION_UID = f"{SERVING_GROUP}/revisionUID"
ROUTE = f"{SERVING_GROUP}/route"
ROUTE_NAMESPACE = f"{SERVING_GROUP}/routeNamespace"
DOMAIN_MAPPING_UID = f"{SERVING_GROUP}/domainMappingUID"
DOMAIN_MAPPING_NAMESPACE = f"{SERVING_GROUP}/domainMappingNamespace"
DEPLOYMENT_HASH = f"{SERVING_GROUP}/deployment-hash"
APP = "app"

# -- state of a revision with regard to routes -------------------------------------------------
ROUTING_STATE = f"{SERVING_GROUP}/routingState"
ROUTING_STATE_MODIFIED = f"{SERVING_GROUP}/routingStateModified"
ROUTES = f"{SERVING_GROUP}/routes"
LAST_PINNED = f"{SERVING_GROUP}/lastPinned"
NO_GC = f"{SERVING_GROUP}/no-gc"
REACHABLE, UNREACHABLE = "Reachable", "Unreachable"
"""``spec.reachability`` of a PodAutoscaler: whether a route leads to it."""
STATE_ACTIVE = "active"
STATE_RESERVE = "reserve"
STATE_PENDING = "pending"

# -- who did it --------------------------------------------------------------------------------
CREATOR = f"{SERVING_GROUP}/creator"
LAST_MODIFIER = f"{SERVING_GROUP}/lastModifier"

# -- what a user sets on a Service, Route or Revision template ---------------------------------
ROLLOUT_DURATION = _aliases(f"{SERVING_GROUP}/rollout-duration", f"{SERVING_GROUP}/rolloutDuration")
PROGRESS_DEADLINE = _aliases(f"{SERVING_GROUP}/progress-deadline")
_SIDECAR = f"queue.sidecar.{SERVING_GROUP}"
SIDECAR_RESOURCE_PERCENTAGE = _aliases(
    f"{_SIDECAR}/resource-percentage", f"{_SIDECAR}/resourcePercentage"
)
SIDECAR_RESOURCES = tuple(
    _aliases(f"{_SIDECAR}/{resource}-resource-{side}")
    for resource in ("cpu", "memory", "ephemeral-storage")
    for side in ("request", "limit")
)
FULL_DUPLEX = f"{FEATURES_GROUP}/http-full-duplex"
POD_INFO = f"{FEATURES_GROUP}/queueproxy-podinfo"
RETRY = f"{OWN_SERVING_GROUP}/retry"
"""On a Revision: with each new value it is tried anew. In its PodAutoscaler's status: the last.

Also in the template of its pods, so those that are there are made anew.
"""
SESSION_AFFINITY = f"{OWN_SERVING_GROUP}/session-affinity"
"""Hearth's own: see ``serving.api.affinity``."""
ROLLOUT_SURGE = f"{OWN_SERVING_GROUP}/rollout-surge"
ROLLBACK = f"{OWN_SERVING_GROUP}/rollback"
"""Hearth's own: see ``serving.api.rollouts``."""
ROLLOUT_BASE = f"{OWN_SERVING_GROUP}/rollout-base"
"""On a KIngress: the pods that were needed when its rollout began."""
ROLLED_BACK = f"{OWN_SERVING_GROUP}/rolled-back"
ROLLED_BACK_TO = f"{OWN_SERVING_GROUP}/rolled-back-to"
"""On a Revision: why traffic went back from it, and to which one."""
PORTS = "serving.hearth.dev/ports"
"""Hearth's own, of a template: see ``serving.api.extraports``."""

# -- what a user sets on a Service, Hearth's own --------------------------------------------------
ASYNC = "serving.hearth.dev/async"
"""Also the label of a KIngress with it: see ``serving.api.asyncrequests``."""
WAITING_PAGE = "serving.hearth.dev/waiting-page"

# -- what a user sets on a DomainMapping, Hearth's own: see ``serving.api.domainpaths`` ----------
DOMAIN_PATHS = "serving.hearth.dev/paths"
DOMAIN_WILDCARD = "serving.hearth.dev/wildcard"

# -- autoscaling annotations of a Revision template --------------------------------------------
CLASS = _aliases(f"{AUTOSCALING_GROUP}/class")
METRIC = _aliases(f"{AUTOSCALING_GROUP}/metric")
TARGET = _aliases(f"{AUTOSCALING_GROUP}/target")
TARGET_UTILIZATION = _aliases(
    f"{AUTOSCALING_GROUP}/target-utilization-percentage",
    f"{AUTOSCALING_GROUP}/targetUtilizationPercentage",
)
TARGET_BURST_CAPACITY = _aliases(
    f"{AUTOSCALING_GROUP}/target-burst-capacity", f"{AUTOSCALING_GROUP}/targetBurstCapacity"
)
MIN_SCALE = _aliases(f"{AUTOSCALING_GROUP}/min-scale", f"{AUTOSCALING_GROUP}/minScale")
MAX_SCALE = _aliases(f"{AUTOSCALING_GROUP}/max-scale", f"{AUTOSCALING_GROUP}/maxScale")
INITIAL_SCALE = _aliases(f"{AUTOSCALING_GROUP}/initial-scale", f"{AUTOSCALING_GROUP}/initialScale")
CURRENT = "current"
"""An initial scale: as many pods as the revision that is replaced has."""
ACTIVATION_SCALE = _aliases(f"{AUTOSCALING_GROUP}/activation-scale")
SCALE_DOWN_DELAY = _aliases(
    f"{AUTOSCALING_GROUP}/scale-down-delay", f"{AUTOSCALING_GROUP}/scaleDownDelay"
)
POD_RETENTION_PERIOD = _aliases(
    f"{AUTOSCALING_GROUP}/scale-to-zero-pod-retention-period",
    f"{AUTOSCALING_GROUP}/scaleToZeroPodRetentionPeriod",
)
WINDOW = _aliases(f"{AUTOSCALING_GROUP}/window")
PANIC_WINDOW_PERCENTAGE = _aliases(
    f"{AUTOSCALING_GROUP}/panic-window-percentage", f"{AUTOSCALING_GROUP}/panicWindowPercentage"
)
PANIC_THRESHOLD_PERCENTAGE = _aliases(
    f"{AUTOSCALING_GROUP}/panic-threshold-percentage",
    f"{AUTOSCALING_GROUP}/panicThresholdPercentage",
)
AGGREGATION_ALGORITHM = _aliases(
    f"{AUTOSCALING_GROUP}/metric-aggregation-algorithm",
    f"{AUTOSCALING_GROUP}/metricAggregationAlgorithm",
)
SCHEDULE = f"{OWN_AUTOSCALING_GROUP}/schedule"
FORECAST = f"{OWN_AUTOSCALING_GROUP}/forecast"
"""Hearth's own: see ``serving.api.schedule`` and ``serving.autoscaler.forecast``."""
ACTIVATORS = f"{OWN_AUTOSCALING_GROUP}/activators"
"""In the status of a PodAutoscaler: whether activators are meant to be in the path, and how many.

As a label: endpoints of activators.
"""
AVERAGED = f"{OWN_AUTOSCALING_GROUP}/averaged"
"""In the status of a PodAutoscaler: what its Metric says, where settings are not Knative's own."""
ACTIVATOR_SERVICE = "activator-service"
"""The Kubernetes Service of the activators, in Knative's namespace and ours."""
WISHED_BY = f"{OWN_AUTOSCALING_GROUP}/wished-by"
"""On a PodAutoscaler: the sources of its wishes, so that a new autoscaler waits for their word."""
KPA_CLASS = "kpa.autoscaling.knative.dev"
HPA_CLASS = "hpa.autoscaling.knative.dev"
METRIC_CONCURRENCY = "concurrency"
METRIC_RPS = "rps"
METRIC_CPU = "cpu"
METRIC_MEMORY = "memory"
ALGORITHM_LINEAR = "linear"
ALGORITHM_WEIGHTED = "weighted-exponential"
ALGORITHM_WEIGHTED_OLD = "weightedExponential"

# -- bounds of autoscaling, on a Revision and in config-autoscaler; seconds, percent ------------
TARGET_MIN = 0.01
UNLIMITED_BURST = -1.0
WINDOW_MIN_SECONDS = 6.0
WINDOW_MAX_SECONDS = 3600.0
PANIC_WINDOW_PERCENTAGE_MIN = 1.0
PANIC_WINDOW_PERCENTAGE_MAX = 100.0
PANIC_THRESHOLD_PERCENTAGE_MIN = 110.0
PANIC_THRESHOLD_PERCENTAGE_MAX = 1000.0

# -- networking --------------------------------------------------------------------------------
VISIBILITY = f"{NETWORKING_GROUP}/visibility"
VISIBILITY_CLUSTER_LOCAL = "cluster-local"
INGRESS_CLASS = _aliases(f"{NETWORKING_GROUP}/ingress.class", f"{NETWORKING_GROUP}/ingress-class")
CERTIFICATE_CLASS = _aliases(
    f"{NETWORKING_GROUP}/certificate.class", f"{NETWORKING_GROUP}/certificate-class"
)
HTTP_PROTOCOL = _aliases(f"{NETWORKING_GROUP}/httpOption", f"{NETWORKING_GROUP}/http-protocol")
DISABLE_EXTERNAL_TLS = _aliases(
    f"{NETWORKING_GROUP}/disableAutoTLS",
    f"{NETWORKING_GROUP}/disable-auto-tls",
    f"{NETWORKING_GROUP}/disable-external-domain-tls",
)
WILDCARD_DOMAIN = f"{NETWORKING_GROUP}/wildcardDomain"
CERTIFICATE_TYPE = f"{NETWORKING_GROUP}/certificate-type"
CERTIFICATE_UID = f"{NETWORKING_INTERNAL_GROUP}/certificate-uid"
TRUST_BUNDLE = f"{NETWORKING_GROUP}/trust-bundle"
INGRESS_LABEL = f"{NETWORKING_INTERNAL_GROUP}/ingress"
ROLLOUT = f"{NETWORKING_INTERNAL_GROUP}/rollout"
TAG = f"{NETWORKING_INTERNAL_GROUP}/tag"
TAG_TO_HOST = f"{NETWORKING_INTERNAL_GROUP}/tag-to-host"
SERVICE_TYPE = f"{NETWORKING_INTERNAL_GROUP}/serviceType"
SERVERLESS_SERVICE = f"{NETWORKING_INTERNAL_GROUP}/serverlessservice"
SERVICE_TYPE_PUBLIC = "Public"
SERVICE_TYPE_PRIVATE = "Private"
HEARTH_INGRESS_CLASS = "hearth.ingress.networking.knative.dev"
HEARTH_CERTIFICATE_CLASS = "hearth.certificate.networking.knative.dev"
"""Certificates of the authority of one machine."""
EXTERNAL_IP = "ExternalIP"
CLUSTER_LOCAL = "ClusterLocal"
HTTP_ENABLED = "Enabled"
HTTP_REDIRECTED = "Redirected"

# -- headers on a request's way ----------------------------------------------------------------
HEADER_REVISION = "Knative-Serving-Revision"
HEADER_NAMESPACE = "Knative-Serving-Namespace"
HEADER_TAG = "Knative-Serving-Tag"
HEADER_DEFAULT_ROUTE = "Knative-Serving-Default-Route"

# -- conditions --------------------------------------------------------------------------------
READY = "Ready"
CONFIGURATIONS_READY = "ConfigurationsReady"
ROUTES_READY = "RoutesReady"
RESOURCES_AVAILABLE = "ResourcesAvailable"
CONTAINER_HEALTHY = "ContainerHealthy"
ACTIVE = "Active"
ALL_TRAFFIC_ASSIGNED = "AllTrafficAssigned"
INGRESS_READY = "IngressReady"
CERTIFICATE_PROVISIONED = "CertificateProvisioned"
SCALE_TARGET_INITIALIZED = "ScaleTargetInitialized"
SKS_READY = "SKSReady"
NETWORK_CONFIGURED = "NetworkConfigured"
LOAD_BALANCER_READY = "LoadBalancerReady"
REFERENCE_RESOLVED = "ReferenceResolved"
DOMAIN_CLAIMED = "DomainClaimed"

# -- finalizers, as knative.dev/pkg names them: plural.group -----------------------------------
ROUTE_FINALIZER = f"routes.{SERVING_GROUP}"
DOMAIN_MAPPING_FINALIZER = f"domainmappings.{SERVING_GROUP}"

# -- what a pod of a revision looks like -------------------------------------------------------
USER_PORT_NAME = "user-port"
DEFAULT_USER_PORT = 8080
PROTOCOL_H2C = "h2c"
PROTOCOL_HTTP1 = "http1"
SIDECAR_CONTAINER = "queue-proxy"
RESERVED_PORTS = frozenset({8008, 8012, 8013, 8022, 9090, 9091})
RESERVED_ENVIRONMENT = frozenset({"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"})

# -- marks of installed parts ------------------------------------------------------------------
APP_NAME = "app.kubernetes.io/name"
APP_COMPONENT = "app.kubernetes.io/component"
APP_NAME_SERVING = "knative-serving"
