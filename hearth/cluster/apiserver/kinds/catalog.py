"""Every built-in kind: names, subresources, rules and table, group by group."""

from __future__ import annotations

from hearth.cluster.apiserver.crd import definitions
from hearth.cluster.apiserver.kind import Kind, Object, ScalePaths
from hearth.cluster.apiserver.kinds import printers
from hearth.cluster.apiserver.kinds.base import Rules, define
from hearth.cluster.apiserver.kinds.podtable import pod as pod_cells
from hearth.cluster.apiserver.kinds.tables import table

_SCALE = ScalePaths(".spec.replicas", ".status.replicas", ".status.selector")
_ALL = ("all",)
_DEFINITIONS = Rules(
    default=definitions.default,
    prepare=definitions.prepare,
    validate=definitions.errors,
    update=definitions.update_errors,
    generation=True,
)
_NO_COLLECTION_DELETE = ("create", "delete", "get", "list", "patch", "update", "watch")


def _grace_period(pod: Object) -> int:
    seconds = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    return 30 if seconds is None else int(seconds)


_CORE = (
    define(
        "core/v1", "ConfigMap", "configmaps", short=["cm"],
        table=table("ConfigMap", printers.config_map),
    ),
    define("core/v1", "Secret", "secrets", table=table("Secret", printers.secret)),
    define(
        "core/v1", "Namespace", "namespaces", short=["ns"], namespaced=False,
        subresources=["status", "finalize"], verbs=_NO_COLLECTION_DELETE,
        table=table("Namespace", printers.namespace),
    ),
    define(
        "core/v1", "Pod", "pods", short=["po"], categories=_ALL,
        subresources=["status", "log", "binding", "eviction"],
        table=table("Pod", pod_cells), grace_period=_grace_period,
    ),
    define(
        "core/v1", "Service", "services", short=["svc"], categories=_ALL,
        subresources=["status"], table=table("Service", printers.service),
    ),
    define(
        "core/v1", "Endpoints", "endpoints", short=["ep"],
        table=table("Endpoints", printers.endpoints),
    ),
    define(
        "core/v1", "ServiceAccount", "serviceaccounts", short=["sa"], subresources=["token"],
        table=table("ServiceAccount", printers.service_account),
    ),
    define(
        "core/v1", "Node", "nodes", short=["no"], namespaced=False, subresources=["status"],
        table=table("Node", printers.node),
    ),
    define("core/v1", "Event", "events", short=["ev"], table=table("Event", printers.event)),
    define(
        "core/v1", "PersistentVolumeClaim", "persistentvolumeclaims", short=["pvc"],
        subresources=["status"],
        table=table("PersistentVolumeClaim", printers.persistent_volume_claim),
    ),
    define(
        "core/v1", "PersistentVolume", "persistentvolumes", short=["pv"], namespaced=False,
        subresources=["status"], table=table("PersistentVolume", printers.persistent_volume),
    ),
    define("core/v1", "LimitRange", "limitranges", short=["limits"]),
    define(
        "core/v1", "ResourceQuota", "resourcequotas", short=["quota"], subresources=["status"],
        table=table("ResourceQuota", printers.resource_quota),
    ),
)  # fmt: skip

_APPS = (
    define(
        "apps/v1", "Deployment", "deployments", short=["deploy"], categories=_ALL,
        subresources=["status", "scale"], scale=_SCALE,
        table=table("Deployment", printers.deployment),
    ),
    define(
        "apps/v1", "ReplicaSet", "replicasets", short=["rs"], categories=_ALL,
        subresources=["status", "scale"], scale=_SCALE,
        table=table("ReplicaSet", printers.replica_set),
    ),
    define(
        "apps/v1", "StatefulSet", "statefulsets", short=["sts"], categories=_ALL,
        subresources=["status", "scale"], scale=_SCALE,
        table=table("StatefulSet", printers.stateful_set),
    ),
    define(
        "apps/v1", "DaemonSet", "daemonsets", short=["ds"], categories=_ALL,
        subresources=["status"], table=table("DaemonSet", printers.daemon_set),
    ),
    define(
        "apps/v1", "ControllerRevision", "controllerrevisions",
        table=table("ControllerRevision", printers.controller_revision),
    ),
)  # fmt: skip

_BATCH = (
    define(
        "batch/v1", "Job", "jobs", categories=_ALL, subresources=["status"],
        table=table("Job", printers.job),
    ),
    define(
        "batch/v1", "CronJob", "cronjobs", short=["cj"], categories=_ALL,
        subresources=["status"], table=table("CronJob", printers.cron_job),
    ),
)  # fmt: skip

_OTHERS = (
    define(
        "discovery/v1", "EndpointSlice", "endpointslices",
        table=table("EndpointSlice", printers.endpoint_slice),
    ),
    define(
        "autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short=["hpa"],
        categories=_ALL, subresources=["status"],
        table=table("HorizontalPodAutoscaler", printers.horizontal_pod_autoscaler),
    ),
    define(
        "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", short=["pdb"],
        subresources=["status"],
        table=table("PodDisruptionBudget", printers.pod_disruption_budget),
    ),
    define("coordination/v1", "Lease", "leases", table=table("Lease", printers.lease)),
    define("rbac/v1", "Role", "roles"),
    define(
        "rbac/v1", "RoleBinding", "rolebindings",
        table=table("RoleBinding", printers.role_binding),
    ),
    define("rbac/v1", "ClusterRole", "clusterroles", namespaced=False),
    define(
        "rbac/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False,
        table=table("ClusterRoleBinding", printers.role_binding),
    ),
    define(
        "admissionregistration/v1", "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations", namespaced=False, categories=["api-extensions"],
        table=table("MutatingWebhookConfiguration", printers.webhooks),
    ),
    define(
        "admissionregistration/v1", "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations", namespaced=False, categories=["api-extensions"],
        table=table("ValidatingWebhookConfiguration", printers.webhooks),
    ),
    define(
        "apiextensions/v1", "CustomResourceDefinition", "customresourcedefinitions",
        short=["crd", "crds"], namespaced=False, categories=["api-extensions"],
        subresources=["status"], rules=_DEFINITIONS,
    ),
    define(
        "networking/v1", "Ingress", "ingresses", short=["ing"], subresources=["status"],
        table=table("Ingress", printers.ingress),
    ),
    define(
        "networking/v1", "IngressClass", "ingressclasses", namespaced=False,
        table=table("IngressClass", printers.ingress_class),
    ),
    define(
        "networking/v1", "NetworkPolicy", "networkpolicies", short=["netpol"],
        table=table("NetworkPolicy", printers.network_policy),
    ),
    define(
        "storage/v1", "StorageClass", "storageclasses", short=["sc"], namespaced=False,
        table=table("StorageClass", printers.storage_class),
    ),
    define(
        "scheduling/v1", "PriorityClass", "priorityclasses", short=["pc"], namespaced=False,
        table=table("PriorityClass", printers.priority_class),
    ),
)  # fmt: skip

KINDS: tuple[Kind, ...] = _CORE + _APPS + _BATCH + _OTHERS
