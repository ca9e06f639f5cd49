"""KEDA's names: resources, annotations, labels, finalizer, conditions, reasons. No pydantic here.

Sources: ``apis/keda/v1alpha1``, ``pkg/eventreason`` and ``controllers`` of kedacore/keda;
``operator/apis`` and ``operator/controllers`` of kedacore/http-add-on.
"""

from __future__ import annotations

from enum import StrEnum

from hearth.kube.resources import Resource

GROUP, EVENTING_GROUP, HTTP_GROUP = "keda.sh", "eventing.keda.sh", "http.keda.sh"
GROUPS = (GROUP, EVENTING_GROUP, HTTP_GROUP)
NAMESPACE = "keda"
"""Where KEDA's own objects are."""

SCALEDOBJECTS = Resource(GROUP, "v1alpha1", "scaledobjects", "ScaledObject")
SCALEDJOBS = Resource(GROUP, "v1alpha1", "scaledjobs", "ScaledJob")
TRIGGERAUTHENTICATIONS = Resource(
    GROUP, "v1alpha1", "triggerauthentications", "TriggerAuthentication"
)
CLUSTERTRIGGERAUTHENTICATIONS = Resource(
    GROUP,
    "v1alpha1",
    "clustertriggerauthentications",
    "ClusterTriggerAuthentication",
    namespaced=False,
)
CLOUDEVENTSOURCES = Resource(EVENTING_GROUP, "v1alpha1", "cloudeventsources", "CloudEventSource")
CLUSTERCLOUDEVENTSOURCES = Resource(
    EVENTING_GROUP,
    "v1alpha1",
    "clustercloudeventsources",
    "ClusterCloudEventSource",
    namespaced=False,
)
HTTPSCALEDOBJECTS = Resource(HTTP_GROUP, "v1alpha1", "httpscaledobjects", "HTTPScaledObject")
INTERCEPTORROUTES = Resource(HTTP_GROUP, "v1beta1", "interceptorroutes", "InterceptorRoute")
RESOURCES = (
    SCALEDOBJECTS,
    SCALEDJOBS,
    TRIGGERAUTHENTICATIONS,
    CLUSTERTRIGGERAUTHENTICATIONS,
    CLOUDEVENTSOURCES,
    CLUSTERCLOUDEVENTSOURCES,
    HTTPSCALEDOBJECTS,
    INTERCEPTORROUTES,
)

# -- annotations, labels, finalizers ---------------------------------------------------------------

OWNER_LABEL = "scaledobject.keda.sh/name"
"""On a ScaledObject and its HPA: the ScaledObject's name. KEDA calls it an annotation."""
JOB_OWNER_LABEL = "scaledjob.keda.sh/name"
"""On the Jobs of a ScaledJob: its name."""
JOB_GENERATION_ANNOTATION = "scaledjob.keda.sh/generation"
"""On the Jobs of a ScaledJob: the generation of it that they were made of."""
TRANSFER_HPA_ANNOTATION = "scaledobject.keda.sh/transfer-hpa-ownership"
EXCLUDED_LABELS_ANNOTATION = "scaledobject.keda.sh/hpa-excluded-labels"
JOB_EXCLUDED_LABELS_ANNOTATION = "scaledjob.keda.sh/job-excluded-labels"
HPA_OWNERSHIP_ANNOTATION = "validations.keda.sh/hpa-ownership"
"""On an HPA: "false" if a ScaledObject may have the same target."""
PAUSED_ANNOTATION = "autoscaling.keda.sh/paused"
PAUSED_REPLICAS_ANNOTATION = "autoscaling.keda.sh/paused-replicas"
PAUSED_SCALE_IN_ANNOTATION = "autoscaling.keda.sh/paused-scale-in"
PAUSED_SCALE_OUT_ANNOTATION = "autoscaling.keda.sh/paused-scale-out"
ZERO_FROM_ONE_ANNOTATION = "autoscaling.hearth.dev/zero-from-one"
"""Hearth's own: the HPA has the way down to one, and only then there is none."""
FORCE_ACTIVATION_ANNOTATION = "autoscaling.keda.sh/force-activation"
SKIP_SCALEDOBJECT_ANNOTATION = "httpscaledobject.keda.sh/skip-scaledobject-creation"
ORPHAN_SCALEDOBJECT_ANNOTATION = "httpscaledobject.keda.sh/orphan-scaledobject"
RESPONSE_BODY_LABEL = "http.keda.sh/response-body"
"""On a ConfigMap: "true" if static responses may be made of it."""
EKS_ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"

FINALIZER = "finalizer.keda.sh"
"""Of ScaledObjects, ScaledJobs, TriggerAuthentications and CloudEventSources alike."""
HTTP_FINALIZER = "httpscaledobject.http.keda.sh"

COMPOSITE_METRIC = "composite-metric"
"""Name of the one metric that a formula makes of all."""
HPA_PREFIX = "keda-hpa-"


class Condition(StrEnum):
    """Types of the conditions of ScaledObjects and ScaledJobs."""

    READY = "Ready"
    ACTIVE = "Active"
    FALLBACK = "Fallback"
    PAUSED = "Paused"
    HPA_ACTIVE = "HPAActive"
    """Mirrors ScalingActive of the HPA; set once there is one, never on a ScaledJob."""


class ConditionReason(StrEnum):
    """Reasons that KEDA's API names for conditions."""

    SCALED_OBJECT_READY = "ScaledObjectReady"
    SCALED_OBJECT_PAUSED = "ScaledObjectPaused"
    HPA_METRICS_UNAVAILABLE = "HPAMetricsUnavailable"
    HPA_ACTIVE = "HPAActive"
    HPA_SCALING_DISABLED = "ScalingDisabled"
    SCALED_JOB_PAUSED = "ScaledJobPaused"
    SCALED_JOB_UNPAUSED = "ScaledJobUnpaused"
    CLOUD_EVENT_SOURCE_ACTIVE = "CloudEventSourceActive"
    CLOUD_EVENT_SOURCE_FAILED = "CloudEventSourceFailed"
    HTTP_RECONCILED = "Reconciled"
    HTTP_CREATE_ERROR = "CreateError"


class ConditionMessage(StrEnum):
    """Texts that KEDA's API names for conditions."""

    SCALED_OBJECT_READY = "ScaledObject is defined correctly and is ready for scaling"
    SCALED_OBJECT_PAUSED = "ScaledObject is paused"
    SCALED_JOB_PAUSED = "ScaledJob is paused"
    SCALED_JOB_UNPAUSED = "ScaledJob is unpaused"
    CLOUD_EVENT_SOURCE_ACTIVE = "Is configured to send events to the configured destination"
    CLOUD_EVENT_SOURCE_FAILED = "Failed to send events to the configured destination"


class EventReason(StrEnum):
    """Reasons of the events that KEDA writes (``pkg/eventreason``)."""

    SCALED_OBJECT_READY = "ScaledObjectReady"
    SCALED_JOB_READY = "ScaledJobReady"
    SCALED_OBJECT_CHECK_FAILED = "ScaledObjectCheckFailed"
    SCALED_JOB_CHECK_FAILED = "ScaledJobCheckFailed"
    SCALED_OBJECT_UPDATE_FAILED = "ScaledObjectUpdateFailed"
    SCALED_JOB_UPDATE_FAILED = "ScaledJobUpdateFailed"
    SCALED_OBJECT_DELETED = "ScaledObjectDeleted"
    SCALED_OBJECT_PAUSED = "ScaledObjectPaused"
    SCALED_OBJECT_UNPAUSED = "ScaledObjectUnpaused"
    SCALED_OBJECT_FALLBACK_ACTIVATED = "ScaledObjectFallbackActivated"
    SCALED_OBJECT_FALLBACK_DEACTIVATED = "ScaledObjectFallbackDeactivated"
    SCALED_JOB_DELETED = "ScaledJobDeleted"
    SCALED_JOB_PAUSED = "ScaledJobPaused"
    SCALED_JOB_UNPAUSED = "ScaledJobUnpaused"
    SCALED_JOB_PAUSE_FAILED = "ScaledJobPauseFailed"
    SCALED_JOB_ROLLOUT_CLEANUP_STARTED = "ScaledJobRolloutCleanupStarted"
    SCALED_JOB_ROLLOUT_CLEANUP_COMPLETED = "ScaledJobRolloutCleanupCompleted"
    SCALED_JOB_ROLLOUT_CLEANUP_FAILED = "ScaledJobRolloutCleanupFailed"
    SCALED_JOB_ACTIVE = "ScaledJobActive"
    SCALED_JOB_INACTIVE = "ScaledJobInactive"
    SCALERS_INFO = "KEDAScalerInfo"
    SCALERS_STARTED = "KEDAScalersStarted"
    SCALERS_STOPPED = "KEDAScalersStopped"
    SCALER_FAILED = "KEDAScalerFailed"
    METRIC_SOURCE_FAILED = "KEDAMetricSourceFailed"
    SCALE_TARGET_ACTIVATED = "KEDAScaleTargetActivated"
    SCALE_TARGET_DEACTIVATED = "KEDAScaleTargetDeactivated"
    SCALE_TARGET_ACTIVATION_FAILED = "KEDAScaleTargetActivationFailed"
    SCALE_TARGET_DEACTIVATION_FAILED = "KEDAScaleTargetDeactivationFailed"
    JOB_CREATE_FAILED = "KEDAJobCreateFailed"
    JOBS_CREATED = "KEDAJobsCreated"
    TRIGGER_AUTHENTICATION_DELETED = "TriggerAuthenticationDeleted"
    TRIGGER_AUTHENTICATION_ADDED = "TriggerAuthenticationAdded"
    TRIGGER_AUTHENTICATION_FAILED = "TriggerAuthenticationFailed"
    TRIGGER_AUTHENTICATION_UPDATED = "ClusterTriggerAuthenticationUpdated"
    """KEDA's oddity: also for a TriggerAuthentication of a namespace."""
    CLUSTER_TRIGGER_AUTHENTICATION_DELETED = "ClusterTriggerAuthenticationDeleted"
    CLUSTER_TRIGGER_AUTHENTICATION_ADDED = "ClusterTriggerAuthenticationAdded"
    CLUSTER_TRIGGER_AUTHENTICATION_FAILED = "ClusterTriggerAuthenticationFailed"


EVENT_TYPES = tuple(
    f"keda.{what}.v1"
    for what in (
        *(f"scaledobject.{x}" for x in ("ready", "failed", "removed", "paused", "unpaused")),
        *(f"scaledjob.{x}" for x in ("ready", "failed", "removed", "paused", "unpaused")),
        *(f"scaledjob.rolloutcleanup.{x}" for x in ("started", "completed", "failed")),
        *(
            f"authentication.{kind}.{x}"
            for kind in ("triggerauthentication", "clustertriggerauthentication")
            for x in ("created", "updated", "removed")
        ),
    )
)
"""Types of the CloudEvents that a CloudEventSource sends."""
