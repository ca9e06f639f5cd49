"""Defaults, validation and update rules, kind by kind, in Kubernetes' words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hearth.cluster.kinds import catalog

KINDS = {kind.kind: kind for kind in reversed(catalog.KINDS)}
Objects = dict[str, Any]
UID = "12345678-1234-1234-1234-123456789abc"
POD = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
WORKLOAD = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
JOB = {"template": {"spec": {**POD, "restartPolicy": "Never"}}}
WEBHOOK = {
    "name": "a.example.com",
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "clientConfig": {"service": {"name": "s", "namespace": "n"}},
    "rules": [
        {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]},
    ],
}
VALID: dict[str, Objects] = {
    "ConfigMap": {"data": {"a": "b"}},
    "Secret": {"data": {"a": "YQ=="}},
    "Namespace": {},
    "Pod": {"spec": POD},
    "Service": {"spec": {"ports": [{"port": 80}]}},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 80}]}]},
    "ServiceAccount": {},
    "Node": {},
    "Event": {"involvedObject": {"namespace": "n", "name": "p"}},
    "PersistentVolumeClaim": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
    },
    "PersistentVolume": {
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    },
    "LimitRange": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    "ResourceQuota": {"spec": {"hard": {"pods": "3"}}},
    "Deployment": {"spec": WORKLOAD},
    "ReplicaSet": {"spec": WORKLOAD},
    "StatefulSet": {"spec": WORKLOAD},
    "DaemonSet": {"spec": WORKLOAD},
    "ControllerRevision": {"data": {"a": 1}, "revision": 1},
    "Job": {"spec": JOB},
    "CronJob": {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": JOB}}},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}]},
    "HorizontalPodAutoscaler": {
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
        }
    },
    "PodDisruptionBudget": {"spec": {"minAvailable": 1}},
    "Lease": {"spec": {"holderIdentity": "me"}},
    "Role": {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]},
    "RoleBinding": {
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}],
    },
    "ClusterRole": {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/"]}]},
    "ClusterRoleBinding": {"roleRef": {"kind": "ClusterRole", "name": "r"}},
    "MutatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "ValidatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    "IngressClass": {"spec": {"controller": "e.com/c"}},
    "NetworkPolicy": {"spec": {"podSelector": {}}},
    "StorageClass": {"provisioner": "e.com/p"},
    "PriorityClass": {"value": 5},
    "RuntimeClass": {"handler": "vm"},
    "APIService": {
        "metadata": {"name": "v1.a.io"},
        "spec": {
            "group": "a.io",
            "version": "v1",
            "groupPriorityMinimum": 1,
            "versionPriority": 1,
            "service": {"namespace": "n", "name": "s"},
        },
    },
}


def created(name: str, obj: Objects | None = None) -> Objects:
    """An object with its defaults and what the server decides."""
    kind = KINDS[name]
    made = copy.deepcopy(VALID[name] if obj is None else obj)
    metadata = {"name": "x", "uid": UID, **made.get("metadata", {})}
    if kind.namespaced:
        metadata["namespace"] = "n"
    made = {"apiVersion": kind.api_version, "kind": name, **made, "metadata": metadata}
    kind.strategy.default(made)
    kind.strategy.prepare(made, None)
    return made


def changed(obj: Any, path: str, value: Any) -> Any:
    """A copy with one value put at a path (``spec.ports.0.port``); ``...`` takes it away."""
    result = copy.deepcopy(obj)
    *parents, last = path.split(".")
    node = result
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
    if value is ...:
        del node[last]
    elif isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    return result


def rejections(name: str, obj: Objects) -> list[str]:
    return [str(error) for error in KINDS[name].strategy.validate(created(name, obj))]


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"CustomResourceDefinition"}))
def test_a_plain_object_is_valid_and_stays_as_it_is(name: str) -> None:
    strategy = KINDS[name].strategy
    obj = created(name)
    obj["metadata"]["resourceVersion"] = "1"
    assert strategy.validate(obj) == []
    again = copy.deepcopy(obj)
    strategy.default(again)
    strategy.prepare(again, obj)
    assert again == obj
    assert strategy.validate_update(again, obj) == []
    assert strategy.validate_status(again, obj) == []


REQUIRED = "Required value"
CASES = [
    # Configuration
    ("ConfigMap", "binaryData", {"a": "YQ=="}, 'data[a]: Invalid value: "a": duplicate of key'),
    ("ConfigMap", "data", {"..a": ""}, 'data[..a]: Invalid value: "..a": must not start with'),
    ("ConfigMap", "data", {"a": "x" * 2_000_000}, ": Too long: may not be more than 1048576 bytes"),
    ("Secret", "type", "kubernetes.io/tls", f"data[tls.crt]: {REQUIRED}"),
    ("Secret", "type", "kubernetes.io/ssh-auth", f"data[ssh-privatekey]: {REQUIRED}"),
    ("Secret", "type", "kubernetes.io/basic-auth", f"data[username]: {REQUIRED}"),
    ("Secret", "type", "kubernetes.io/dockerconfigjson", f"data[.dockerconfigjson]: {REQUIRED}"),
    # Pods
    ("Pod", "spec.containers.0.name", "A", 'spec.containers[0].name: Invalid value: "A": a low'),
    ("Pod", "spec.containers.0.image", " i", 'spec.containers[0].image: Invalid value: " i": mu'),
    ("Pod", "spec.dnsPolicy", "Best", 'spec.dnsPolicy: Unsupported value: "Best": supported val'),
    ("Pod", "spec.hostname", "a.b", 'spec.hostname: Invalid value: "a.b": must not contain dots'),
    ("Pod", "spec.activeDeadlineSeconds", 0, "spec.activeDeadlineSeconds: Invalid value: 0: must"),
    ("Pod", "spec.nodeSelector", {"a b": ""}, 'spec.nodeSelector: Invalid value: "a b": name'),
    (
        "Pod",
        "spec.containers.0.imagePullPolicy",
        "Sometimes",
        'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: '
        '"Always", "IfNotPresent", "Never"',
    ),
    (
        "Pod",
        "spec.containers.0.ports",
        [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}],
        'spec.containers[0].ports[1].name: Duplicate value: "a"',
    ),
    (
        "Pod",
        "spec.containers.0.ports",
        [{"containerPort": 80, "protocol": "ICMP"}],
        'spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: '
        '"SCTP", "TCP", "UDP"',
    ),
    (
        "Pod",
        "spec.containers.0.volumeMounts",
        [{"name": "v", "mountPath": "/v"}],
        'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ),
    (
        "Pod",
        "spec.containers.0.env",
        [{"name": "A=B"}],
        'spec.containers[0].env[0].name: Invalid value: "A=B": a valid environment variable name',
    ),
    (
        "Pod",
        "spec.containers.0.env",
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.what"}}}],
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.what": error '
        "converting fieldPath: field label not supported: spec.what",
    ),
    (
        "Pod",
        "spec.containers.0.env",
        [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}],
        "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value",
    ),
    (
        "Pod",
        "spec.containers.0.envFrom",
        [{}],
        'spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or',
    ),
    (
        "Pod",
        "spec.containers.0.resources",
        {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}},
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to '
        "cpu limit of 1",
    ),
    (
        "Pod",
        "spec.containers.0.resources",
        {"limits": {"gold": "1"}},
        'spec.containers[0].resources.limits[gold]: Invalid value: "gold": must be a standard '
        "resource type or fully qualified",
    ),
    (
        "Pod",
        "spec.containers.0.resources",
        {"requests": {"memory": "-1"}},
        'spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than',
    ),
    (
        "Pod",
        "spec.containers.0.livenessProbe",
        {"tcpSocket": {"port": 80}, "successThreshold": 2},
        "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
    ),
    (
        "Pod",
        "spec.containers.0.readinessProbe",
        {"tcpSocket": {"port": "web!"}},
        'spec.containers[0].readinessProbe.tcpSocket.port: Invalid value: "web!": must contain',
    ),
    (
        "Pod",
        "spec.containers.0.readinessProbe",
        {"tcpSocket": {"port": 80}, "exec": {"command": ["a"]}},
        "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1",
    ),
    (
        "Pod",
        "spec.containers.0.lifecycle",
        {"preStop": {"exec": {}}},
        "spec.containers[0].lifecycle.preStop.exec.command: Required value",
    ),
    (
        "Pod",
        "spec.initContainers",
        [{"name": "c", "image": "i"}],
        'spec.initContainers[0].name: Duplicate value: "c"',
    ),
    (
        "Pod",
        "spec.initContainers",
        [{"name": "d", "image": "i", "livenessProbe": {"exec": {"command": ["x"]}}}],
        "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers",
    ),
    (
        "Pod",
        "spec.volumes",
        [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}],
        "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
    ),
    (
        "Pod",
        "spec.volumes",
        [{"name": "v"}, {"name": "v"}],
        'spec.volumes[1].name: Duplicate value: "v"',
    ),
    (
        "Pod",
        "spec.volumes",
        [{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "../x"}]}}],
        "spec.volumes[0].configMap.items[0].path: Invalid value: \"../x\": must not contain '..'",
    ),
    (
        "Pod",
        "spec.volumes",
        [{"name": "v", "secret": {"defaultMode": 512}}],
        "spec.volumes[0].secret.secretName: Required value",
    ),
    (
        "Pod",
        "spec.tolerations",
        [{"operator": "Equal"}],
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key`',
    ),
    (
        "Pod",
        "spec.affinity",
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}},
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
        "nodeSelectorTerms: Required value: must have at least one node selector term",
    ),
    (
        "Pod",
        "spec.topologySpreadConstraints",
        [{"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "ScheduleAnyway"}],
        "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
    ),
    # Services
    ("Service", "spec.ports", ..., f"spec.ports: {REQUIRED}"),
    ("Service", "spec.type", "Magic", 'spec.type: Unsupported value: "Magic": supported values: '),
    ("Service", "spec.ports.0.port", 0, "spec.ports[0].port: Invalid value: 0: must be between 1"),
    ("Service", "spec.ports.0.nodePort", 30000, "spec.ports[0].nodePort: Forbidden: may not be us"),
    ("Service", "spec.sessionAffinity", "Yes", 'spec.sessionAffinity: Unsupported value: "Yes"'),
    ("Service", "spec.clusterIP", "1.2.3", 'spec.clusterIPs[0]: Invalid value: "1.2.3": must be a'),
    ("Service", "spec.selector", {"a b": ""}, 'spec.selector: Invalid value: "a b": name part'),
    ("Service", "spec.ports", [{"port": 1}, {"port": 2}], f"spec.ports[0].name: {REQUIRED}"),
    (
        "Service",
        "spec.ports",
        [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}],
        'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,',
    ),
    ("Service", "spec", {"type": "ExternalName"}, f"spec.externalName: {REQUIRED}"),
    ("Endpoints", "subsets.0.addresses.0.ip", "x", 'subsets[0].addresses[0].ip: Invalid value: "x'),
    ("EndpointSlice", "addressType", "IPX", 'addressType: Unsupported value: "IPX": supported val'),
    ("EndpointSlice", "addressType", "IPv6", 'endpoints[0].addresses[0]: Invalid value: "127.0.0.'),
    ("EndpointSlice", "endpoints.0.addresses", [], f"endpoints[0].addresses: {REQUIRED}: must con"),
    ("EndpointSlice", "ports", [{}, {}], 'ports[1].name: Duplicate value: ""'),
    (
        "Service",
        "spec",
        {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
        "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range",
    ),
    (
        "Service",
        "spec.ipFamilies",
        ["IPv6"],
        'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ),
    (
        "Service",
        "spec.ipFamilyPolicy",
        "RequireDualStack",
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured',
    ),
    (
        "Service",
        "spec.trafficDistribution",
        "Near",
        'spec.trafficDistribution: Unsupported value: "Near": supported values: "PreferClose", "P',
    ),
    # Workloads
    (
        "DaemonSet",
        "spec.updateStrategy",
        {"type": "Never"},
        'spec.updateStrategy: Unsupported value: {"Type":"Never","RollingUpdate":null}: supported',
    ),
    (
        "DaemonSet",
        "spec.updateStrategy",
        {"rollingUpdate": {"maxUnavailable": 0}},
        f"spec.updateStrategy.rollingUpdate.maxUnavailable: {REQUIRED}: cannot be 0 when maxSurge",
    ),
    (
        "DaemonSet",
        "spec.updateStrategy",
        {"rollingUpdate": {"maxSurge": 1}},
        "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUn",
    ),
    ("Deployment", "spec.selector", {}, "spec.selector: Invalid value: {}: empty selector is inv"),
    (
        "Deployment",
        "spec.strategy",
        {"type": "Recreate", "rollingUpdate": {}},
        "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Rec",
    ),
    (
        "Deployment",
        "spec.strategy",
        {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}},
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge",
    ),
    (
        "Deployment",
        "spec.strategy",
        {"rollingUpdate": {"maxSurge": "lots"}},
        'spec.strategy.rollingUpdate.maxSurge: Invalid value: "lots": a valid percent string must',
    ),
    (
        "Deployment",
        "spec.strategy",
        {"rollingUpdate": {"maxSurge": "--5%", "maxUnavailable": "９%"}},
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "９%": a valid percent string',
    ),
    (
        "Deployment",
        "spec.progressDeadlineSeconds",
        0,
        "spec.progressDeadlineSeconds: Invalid value: 0: must be greater than minReadySeconds",
    ),
    (
        "Deployment",
        "spec.template.spec.restartPolicy",
        "Never",
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ),
    (
        "StatefulSet",
        "spec.podManagementPolicy",
        "Wild",
        "spec.podManagementPolicy: Invalid value: \"Wild\": must be 'OrderedReady' or 'Parallel'",
    ),
    ("DaemonSet", "spec.selector.matchLabels.a", "z", "spec.template.metadata.labels: Invalid val"),
    ("ControllerRevision", "revision", -1, "revision.revision: Invalid value: -1: must be greater"),
    ("Job", "spec.parallelism", -1, "spec.parallelism: Invalid value: -1: must be greater than or"),
    ("Job", "spec.completionMode", "Indexed", None),
    ("CronJob", "spec.schedule", "TZ=UTC * * * * *", 'spec.schedule: Invalid value: "TZ=UTC * *'),
    ("CronJob", "spec.concurrencyPolicy", "Some", 'spec.concurrencyPolicy: Unsupported value: "S'),
    (
        "CronJob",
        "spec.timeZone",
        "Mars/Base",
        'spec.timeZone: Invalid value: "Mars/Base": unknown ti',
    ),
    ("CronJob", "spec.timeZone", "", 'spec.timeZone: Invalid value: "": timeZone must be nil or'),
    ("CronJob", "metadata.name", "n" * 53, 'metadata.name: Invalid value: "nnnn'),
    # Others
    ("HorizontalPodAutoscaler", "spec.maxReplicas", 0, "spec.maxReplicas: Invalid value: 0: must"),
    ("HorizontalPodAutoscaler", "spec.minReplicas", 4, "spec.maxReplicas: Invalid value: 3: must"),
    ("HorizontalPodAutoscaler", "spec.scaleTargetRef.name", "", "spec.scaleTargetRef.name: Requi"),
    (
        "HorizontalPodAutoscaler",
        "spec.metrics",
        [{"type": "Pods"}],
        "spec.metrics[0].pods: Required value: must populate information for the given metric",
    ),
    (
        "HorizontalPodAutoscaler",
        "spec.behavior",
        {"scaleUp": {"stabilizationWindowSeconds": 9999}},
        "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 9999: must be less than",
    ),
    ("PodDisruptionBudget", "spec.maxUnavailable", 1, 'spec: Invalid value: {"MinAvailable":1,'),
    ("PodDisruptionBudget", "spec.minAvailable", "200%", 'spec.minAvailable: Invalid value: "200%'),
    ("Lease", "spec.leaseDurationSeconds", 0, "spec.leaseDurationSeconds: Invalid value: 0: must "),
    ("Event", "involvedObject.namespace", "m", 'involvedObject.namespace: Invalid value: "m": doe'),
    ("Event", "involvedObject.namespace", "", 'involvedObject.namespace: Invalid value: "": does'),
    ("Event", "eventTime", "2026-01-01T00:00:00Z", f"reportingComponent: {REQUIRED}"),
    ("PersistentVolumeClaim", "spec.accessModes", [], f"spec.accessModes: {REQUIRED}: at least 1"),
    ("PersistentVolumeClaim", "spec.resources", {}, f"spec.resources[storage]: {REQUIRED}"),
    ("ResourceQuota", "spec.hard", {"pods": "1.5"}, 'spec.hard[pods]: Invalid value: "1500m": mus'),
    ("Role", "rules.0.verbs", [], f"rules[0].verbs: {REQUIRED}: verbs must contain at least one"),
    ("Role", "rules.0", {"verbs": ["get"], "nonResourceURLs": ["/"]}, "rules[0].nonResourceURLs: "),
    ("RoleBinding", "roleRef.kind", "Pod", 'roleRef.kind: Unsupported value: "Pod": supported val'),
    ("RoleBinding", "subjects.0.kind", "Dog", 'subjects[0].kind: Unsupported value: "Dog": suppor'),
    ("MutatingWebhookConfiguration", "webhooks.0.name", "a", 'webhooks[0].name: Invalid value: "a'),
    (
        "MutatingWebhookConfiguration",
        "webhooks.0.clientConfig",
        {},
        "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
    ),
    (
        "ValidatingWebhookConfiguration",
        "webhooks.0.clientConfig",
        {"url": "http://e.com"},
        "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL",
    ),
    (
        "ValidatingWebhookConfiguration",
        "webhooks.0.timeoutSeconds",
        31,
        "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and",
    ),
    ("Ingress", "spec", {}, "spec: Invalid value: []: either `defaultBackend` or `rules` must be"),
    ("NetworkPolicy", "spec.policyTypes", ["Up"], 'spec.policyTypes[0]: Unsupported value: "Up"'),
    ("PriorityClass", "value", 2_000_000_000, "value: Forbidden: maximum allowed value of a user"),
]


@pytest.mark.parametrize(
    ("title", "problems"),
    [
        ("sender.Sent.1", []),
        ("a b_C", []),
        ("a/b", ["may not contain '/'"]),
        ("..", ["may not be '..'"]),
    ],
)
def test_names_of_events_are_as_free_as_a_path(title: str, problems: list[str]) -> None:
    check = KINDS["Event"].strategy.validate_name
    assert check is not None
    assert check(title) == problems
    assert rejections("Event", changed(VALID["Event"], "metadata.name", title)) == []


@pytest.mark.parametrize(("name", "path", "value", "message"), CASES)
def test_one_thing_wrong(name: str, path: str, value: Any, message: str | None) -> None:
    found = rejections(name, changed(VALID[name], path, value))
    if message is None:
        assert found == []
        return
    assert found, "the object was accepted"
    assert found[0].startswith(message)


def test_a_stateful_set_mounts_its_own_claims() -> None:
    claimed = VALID["StatefulSet"]
    mount = {"volumeMounts": [{"name": "log", "mountPath": "/log"}]}
    claimed = changed(claimed, "spec.template.spec.containers.0", {**POD["containers"][0], **mount})
    assert rejections("StatefulSet", claimed)
    claim = {"metadata": {"name": "log"}, **VALID["PersistentVolumeClaim"]}
    assert rejections("StatefulSet", changed(claimed, "spec.volumeClaimTemplates", [claim])) == []


def test_an_indexed_job_needs_completions() -> None:
    spec = {**JOB, "completionMode": "Indexed", "parallelism": 2}
    assert rejections("Job", {"spec": spec}) == [
        "spec.completions: Required value: when completion mode is Indexed"
    ]


UPDATES = [
    ("Secret", "type", "other", 'type: Invalid value: "other": field is immutable'),
    ("Deployment", "spec.selector.matchLabels.c", "d", None),
    ("ReplicaSet", "spec.selector.matchExpressions", [{"key": "a", "operator": "Exists"}], None),
    ("StatefulSet", "spec.serviceName", "other", "spec: Forbidden: updates to statefulset spec fo"),
    ("Job", "spec.completions", 2, "spec.completions: Invalid value: 2: field is immutable"),
    ("Job", "spec.template.spec.containers.0.image", "j", "spec.template: Invalid value: {"),
    ("Service", "spec.clusterIPs", ["10.96.9.9"], "spec.clusterIPs[0]: Invalid value: "),
    ("EndpointSlice", "addressType", "FQDN", 'addressType: Invalid value: "FQDN": field is immut'),
    ("RoleBinding", "roleRef.name", "s", 'roleRef: Invalid value: {"APIGroup":"rbac.authorization'),
    ("StorageClass", "provisioner", "e.com/q", "provisioner: Forbidden: updates to provisioner ar"),
    ("PriorityClass", "value", 6, "value: Forbidden: may not be changed in an update."),
    ("PersistentVolumeClaim", "spec.accessModes", ["ReadOnlyMany"], "spec: Forbidden: spec is imm"),
    ("Pod", "spec.containers.0.command", ["x"], "spec: Forbidden: pod updates may not change fiel"),
    ("Pod", "spec.containers", [], "spec.containers: Required value"),
    ("Pod", "spec.tolerations", [], "spec.tolerations: Forbidden: existing toleration can not be "),
    ("Pod", "spec.activeDeadlineSeconds", 5, ""),
    ("Pod", "spec.containers.0.image", "j", ""),
]


@pytest.mark.parametrize(("name", "path", "value", "message"), UPDATES)
def test_what_an_update_may_change(name: str, path: str, value: Any, message: str | None) -> None:
    old = created(name)
    old["metadata"]["resourceVersion"] = "1"
    new = changed(old, path, value)
    found = [str(error) for error in KINDS[name].strategy.validate_update(new, old)]
    if message == "":
        assert found == []
    elif message is None:
        assert "spec.selector: Invalid value: " in found[-1]
        assert found[-1].endswith("field is immutable")
    else:
        assert found[0].startswith(message)


def test_a_frozen_config_map_stays_frozen() -> None:
    old = created("ConfigMap", {"data": {"a": "1"}, "immutable": True})
    old["metadata"]["resourceVersion"] = "1"
    new = changed(changed(old, "immutable", ...), "data.a", "2")
    found = [str(e) for e in KINDS["ConfigMap"].strategy.validate_update(new, old)]
    frozen = "Forbidden: field is immutable when `immutable` is set"
    assert found == [f"immutable: {frozen}", f"data: {frozen}"]


def test_counts_in_status_fit_together() -> None:
    old = created("Deployment")
    old["metadata"]["resourceVersion"] = "1"
    new = {**old, "status": {"replicas": 1, "readyReplicas": 2, "availableReplicas": -1}}
    found = [str(e) for e in KINDS["Deployment"].strategy.validate_status(new, old)]
    assert found == [
        "status.availableReplicas: Invalid value: -1: must be greater than or equal to 0",
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
    ]


@pytest.mark.parametrize(("deleting", "phase"), [(True, "Active"), (False, "Terminating")])
def test_the_phase_of_a_namespace_says_whether_it_is_deleted(deleting: bool, phase: str) -> None:
    old = created("Namespace", {"metadata": {"name": "x", "resourceVersion": "1"}})
    if deleting:
        old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    new = {**old, "status": {"phase": phase}}
    found = [str(e) for e in KINDS["Namespace"].strategy.validate_status(new, old)]
    wanted, state = ("Terminating", "not empty") if deleting else ("Active", "empty")
    assert found == [
        f"status.Phase: Invalid value: \"{phase}\": may only be '{wanted}' if "
        f"`deletionTimestamp` is {state}"
    ]
