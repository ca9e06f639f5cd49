"""Every built-in kind: names, subresources, rules and table, group by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hearth.cluster.crd import definitions
from hearth.cluster.kinds import (
    access,
    autoscaling,
    autoscalingv1,
    cluster,
    configuration,
    endpoints,
    events,
    jobs,
    networking,
    pods,
    policies,
    printers,
    quotas,
    registration,
    services,
    sets,
    webhooks,
    workloads,
)
from hearth.cluster.kinds.base import Rules, define
from hearth.cluster.kinds.podtable import pod as pod_cells
from hearth.cluster.model.kind import Kind, Object, ScalePaths
from hearth.cluster.model.tables import table

_SCALE = ScalePaths(".spec.replicas", ".status.replicas", ".status.selector")
_ALL = ("all",)
_DEFINITIONS = Rules(
    default=definitions.default,
    prepare=definitions.prepare,
    validate=definitions.errors,
    update=definitions.update_errors,
    warnings=definitions.warnings,
    unconditional=False,
    generation=True,
)
_NO_COLLECTION_DELETE = ("create", "delete", "get", "list", "patch", "update", "watch")


def _old_autoscaler_cells(obj: Object, now: float) -> Sequence[Any]:
    return printers.horizontal_pod_autoscaler(autoscalingv1.to_v2(obj), now)


def _grace_period(pod: Object) -> int:
    seconds = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    return 30 if seconds is None else int(seconds)


_CORE = (
    define(
        "core/v1",
        "ConfigMap",
        "configmaps",
        rules=configuration.CONFIG_MAP,
        short=["cm"],
        table=table("ConfigMap", printers.config_map),
    ),
    define(
        "core/v1",
        "Secret",
        "secrets",
        rules=configuration.SECRET,
        table=table("Secret", printers.secret),
    ),
    define(
        "core/v1",
        "Namespace",
        "namespaces",
        rules=cluster.NAMESPACE,
        short=["ns"],
        namespaced=False,
        subresources=["status", "finalize"],
        verbs=_NO_COLLECTION_DELETE,
        table=table("Namespace", printers.namespace),
    ),
    define(
        "core/v1",
        "Pod",
        "pods",
        rules=pods.POD,
        short=["po"],
        categories=_ALL,
        subresources=["status", "log", "binding", "eviction", "exec", "attach", "portforward"],
        table=table("Pod", pod_cells),
        grace_period=_grace_period,
    ),
    define(
        "core/v1",
        "Service",
        "services",
        rules=services.SERVICE,
        short=["svc"],
        categories=_ALL,
        subresources=["status"],
        table=table("Service", printers.service),
    ),
    define(
        "core/v1",
        "Endpoints",
        "endpoints",
        rules=endpoints.ENDPOINTS,
        short=["ep"],
        table=table("Endpoints", printers.endpoints),
    ),
    define(
        "core/v1",
        "ServiceAccount",
        "serviceaccounts",
        rules=cluster.SERVICE_ACCOUNT,
        short=["sa"],
        subresources=["token"],
        table=table("ServiceAccount", printers.service_account),
    ),
    define(
        "core/v1",
        "Node",
        "nodes",
        rules=cluster.NODE,
        short=["no"],
        namespaced=False,
        subresources=["status"],
        table=table("Node", printers.node),
    ),
    define(
        "core/v1",
        "Event",
        "events",
        rules=events.EVENT,
        short=["ev"],
        table=table("Event", printers.event),
    ),
    define(
        "core/v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        rules=cluster.PERSISTENT_VOLUME_CLAIM,
        short=["pvc"],
        subresources=["status"],
        table=table("PersistentVolumeClaim", printers.persistent_volume_claim),
    ),
    define(
        "core/v1",
        "PersistentVolume",
        "persistentvolumes",
        rules=cluster.PERSISTENT_VOLUME,
        short=["pv"],
        namespaced=False,
        subresources=["status"],
        table=table("PersistentVolume", printers.persistent_volume),
    ),
    define("core/v1", "LimitRange", "limitranges", rules=quotas.LIMIT_RANGE, short=["limits"]),
    define(
        "core/v1",
        "ResourceQuota",
        "resourcequotas",
        rules=quotas.RESOURCE_QUOTA,
        short=["quota"],
        subresources=["status"],
        table=table("ResourceQuota", printers.resource_quota),
    ),
)

_APPS = (
    define(
        "apps/v1",
        "Deployment",
        "deployments",
        rules=workloads.DEPLOYMENT,
        short=["deploy"],
        categories=_ALL,
        subresources=["status", "scale"],
        scale=_SCALE,
        table=table("Deployment", printers.deployment),
    ),
    define(
        "apps/v1",
        "ReplicaSet",
        "replicasets",
        rules=workloads.REPLICA_SET,
        short=["rs"],
        categories=_ALL,
        subresources=["status", "scale"],
        scale=_SCALE,
        table=table("ReplicaSet", printers.replica_set),
    ),
    define(
        "apps/v1",
        "StatefulSet",
        "statefulsets",
        rules=sets.STATEFUL_SET,
        short=["sts"],
        categories=_ALL,
        subresources=["status", "scale"],
        scale=_SCALE,
        table=table("StatefulSet", printers.stateful_set),
    ),
    define(
        "apps/v1",
        "DaemonSet",
        "daemonsets",
        rules=sets.DAEMON_SET,
        short=["ds"],
        categories=_ALL,
        subresources=["status"],
        table=table("DaemonSet", printers.daemon_set),
    ),
    define(
        "apps/v1",
        "ControllerRevision",
        "controllerrevisions",
        rules=sets.CONTROLLER_REVISION,
        table=table("ControllerRevision", printers.controller_revision),
    ),
)

_BATCH = (
    define(
        "batch/v1",
        "Job",
        "jobs",
        rules=jobs.JOB,
        categories=_ALL,
        subresources=["status"],
        table=table("Job", printers.job),
    ),
    define(
        "batch/v1",
        "CronJob",
        "cronjobs",
        rules=jobs.CRON_JOB,
        short=["cj"],
        categories=_ALL,
        subresources=["status"],
        table=table("CronJob", printers.cron_job),
    ),
)

_OTHERS = (
    define(
        "discovery/v1",
        "EndpointSlice",
        "endpointslices",
        rules=endpoints.ENDPOINT_SLICE,
        table=table("EndpointSlice", printers.endpoint_slice),
    ),
    define(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        rules=autoscaling.HORIZONTAL_POD_AUTOSCALER,
        short=["hpa"],
        categories=_ALL,
        subresources=["status"],
        table=table("HorizontalPodAutoscaler", printers.horizontal_pod_autoscaler),
    ),
    define(
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        rules=autoscalingv1.RULES,
        short=["hpa"],
        categories=_ALL,
        subresources=["status"],
        table=table("HorizontalPodAutoscaler", _old_autoscaler_cells),
        storage_version="v2",
        to_storage=autoscalingv1.to_v2,
        from_storage=autoscalingv1.from_v2,
    ),
    define(
        "policy/v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        rules=policies.POD_DISRUPTION_BUDGET,
        short=["pdb"],
        subresources=["status"],
        table=table("PodDisruptionBudget", printers.pod_disruption_budget),
    ),
    define(
        "coordination/v1",
        "Lease",
        "leases",
        rules=policies.LEASE,
        table=table("Lease", printers.lease),
    ),
    define("rbac/v1", "Role", "roles", rules=access.ROLE),
    define(
        "rbac/v1",
        "RoleBinding",
        "rolebindings",
        rules=access.ROLE_BINDING,
        table=table("RoleBinding", printers.role_binding),
    ),
    define("rbac/v1", "ClusterRole", "clusterroles", rules=access.CLUSTER_ROLE, namespaced=False),
    define(
        "rbac/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        rules=access.CLUSTER_ROLE_BINDING,
        namespaced=False,
        table=table("ClusterRoleBinding", printers.role_binding),
    ),
    define(
        "admissionregistration/v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        rules=webhooks.MUTATING,
        namespaced=False,
        categories=["api-extensions"],
        table=table("MutatingWebhookConfiguration", printers.webhooks),
    ),
    define(
        "admissionregistration/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        rules=webhooks.VALIDATING,
        namespaced=False,
        categories=["api-extensions"],
        table=table("ValidatingWebhookConfiguration", printers.webhooks),
    ),
    define(
        "apiextensions/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        short=["crd", "crds"],
        namespaced=False,
        categories=["api-extensions"],
        subresources=["status"],
        rules=_DEFINITIONS,
    ),
    define(
        "apiregistration/v1",
        "APIService",
        "apiservices",
        rules=registration.API_SERVICE,
        namespaced=False,
        categories=["api-extensions"],
        subresources=["status"],
        table=table("APIService", printers.api_service),
    ),
    define(
        "networking/v1",
        "Ingress",
        "ingresses",
        rules=networking.INGRESS,
        short=["ing"],
        subresources=["status"],
        table=table("Ingress", printers.ingress),
    ),
    define(
        "networking/v1",
        "IngressClass",
        "ingressclasses",
        rules=networking.INGRESS_CLASS,
        namespaced=False,
        table=table("IngressClass", printers.ingress_class),
    ),
    define(
        "networking/v1",
        "NetworkPolicy",
        "networkpolicies",
        rules=networking.NETWORK_POLICY,
        short=["netpol"],
        table=table("NetworkPolicy", printers.network_policy),
    ),
    define(
        "storage/v1",
        "StorageClass",
        "storageclasses",
        rules=cluster.STORAGE_CLASS,
        short=["sc"],
        namespaced=False,
        table=table("StorageClass", printers.storage_class),
    ),
    define(
        "scheduling/v1",
        "PriorityClass",
        "priorityclasses",
        rules=cluster.PRIORITY_CLASS,
        short=["pc"],
        namespaced=False,
        table=table("PriorityClass", printers.priority_class),
    ),
    define(
        "node/v1",
        "RuntimeClass",
        "runtimeclasses",
        rules=cluster.RUNTIME_CLASS,
        namespaced=False,
        table=table("RuntimeClass", printers.runtime_class),
    ),
)

KINDS: tuple[Kind, ...] = _CORE + _APPS + _BATCH + _OTHERS
