"""For each field of the Serving API specification: a template that has it, by the rule's id."""

from __future__ import annotations

from typing import Any

Fragment = dict[str, Any]


def _container(**fields: Any) -> Fragment:
    return {"containers": [fields]}


def _env(source: Fragment) -> Fragment:
    return _container(env=[{"name": "A", "valueFrom": source}])


def _env_from(source: Fragment) -> Fragment:
    return _container(envFrom=[source])


def _probe(**fields: Any) -> Fragment:
    handler: Fragment = {"tcpSocket": {}}
    if fields.keys() & {"exec", "httpGet", "tcpSocket"}:
        handler = {}
    return _container(livenessProbe={"periodSeconds": 7, **handler, **fields})


def _http_get(**fields: Any) -> Fragment:
    return _probe(httpGet={"path": "/", **fields})


def _volume(source: Fragment, **mount: Any) -> Fragment:
    volumes = [{"name": "data", **source}]
    return {
        **_container(volumeMounts=[{"name": "data", "mountPath": "/data", **mount}]),
        "volumes": volumes,
    }


def _projected(source: Fragment) -> Fragment:
    return _volume({"projected": {"sources": [source]}})


_MAP = {"name": "some"}
_KEY = {"name": "some", "key": "a"}
_ITEMS = [{"key": "a", "path": "b"}]
_TCP: Fragment = {"tcpSocket": {}}

TEMPLATES: dict[str, Fragment] = {
    "Revision.spec.containers": _container(name="mine"),
    "Revision.spec.volumes": _volume({"configMap": _MAP}),
    "Revision.spec.timeoutSeconds": {"timeoutSeconds": 12},
    "Revision.spec.containerConcurrency": {"containerConcurrency": 3},
    "Revision.spec.serviceAccountName": {"serviceAccountName": "default"},
    "Revision.spec.imagePullSecrets": {"imagePullSecrets": [{"name": "some"}]},
    "LocalObjectReference.name": {"imagePullSecrets": [{"name": "some"}]},
    "Container.args": _container(args=["a", "b"]),
    "Container.command": _container(command=["a", "b"]),
    "Container.env": _container(env=[{"name": "A", "value": "b"}]),
    "Container.envFrom": _env_from({"configMapRef": _MAP}),
    "Container.image": _container(image="example.com/an/image:tag"),
    "Container.imagePullPolicy": _container(imagePullPolicy="Always"),
    "Container.livenessProbe": _container(livenessProbe=_TCP),
    "Container.name": _container(name="mine"),
    "Container.ports": _container(ports=[{"containerPort": 8888}]),
    "Container.readinessProbe": _container(readinessProbe=_TCP),
    "Container.resources": _container(resources={"limits": {"cpu": "1"}}),
    "Container.securityContext": _container(securityContext={"runAsUser": 1000}),
    "Container.terminationMessagePath": _container(terminationMessagePath="/last/words"),
    "Container.terminationMessagePolicy": _container(terminationMessagePolicy="File"),
    "Container.volumeMounts": _volume({"configMap": _MAP}),
    "Container.workingDir": _container(workingDir="/tmp"),
    "EnvVar.name": _container(env=[{"name": "A", "value": "b"}]),
    "EnvVar.value": _container(env=[{"name": "A", "value": "b"}]),
    "EnvVar.valueFrom": _env({"configMapKeyRef": _KEY}),
    "EnvVarSource.configMapKeyRef": _env({"configMapKeyRef": _KEY}),
    "EnvVarSource.secretKeyRef": _env({"secretKeyRef": _KEY}),
    **{
        f"{kind}KeySelector.{field}": _env({f"{ref}KeyRef": {**_KEY, "optional": True}})
        for kind, ref in (("ConfigMap", "configMap"), ("Secret", "secret"))
        for field in ("key", "name", "optional")
    },
    "Probe.exec": _probe(exec={"command": ["a"]}),
    "ExecAction.command": _probe(exec={"command": ["a", "b"]}),
    "Probe.failureThreshold": _probe(failureThreshold=4),
    "Probe.httpGet": _http_get(),
    "Probe.initialDelaySeconds": _probe(initialDelaySeconds=4),
    "Probe.successThreshold": _probe(successThreshold=1),
    "Probe.tcpSocket": _probe(tcpSocket={}),
    "Probe.timeoutSeconds": _probe(timeoutSeconds=4),
    "HTTPGetAction.host": _http_get(host="localhost"),
    "HTTPGetAction.httpHeaders": _http_get(httpHeaders=[{"name": "a", "value": "b"}]),
    "HTTPGetAction.path": _http_get(path="/here"),
    "HTTPGetAction.scheme": _http_get(scheme="HTTPS"),
    "TCPSocketAction.host": _probe(tcpSocket={"host": "localhost"}),
    "HTTPHeader.name": _http_get(httpHeaders=[{"name": "a", "value": "b"}]),
    "HTTPHeader.value": _http_get(httpHeaders=[{"name": "a", "value": "b"}]),
    "EnvFromSource.configMapRef": _env_from({"configMapRef": _MAP}),
    "EnvFromSource.prefix": _env_from({"configMapRef": _MAP, "prefix": "P_"}),
    "EnvFromSource.secretRef": _env_from({"secretRef": _MAP}),
    **{
        f"{kind}EnvSource.{field}": _env_from({f"{ref}Ref": {**_MAP, "optional": True}})
        for kind, ref in (("ConfigMap", "configMap"), ("Secret", "secret"))
        for field in ("name", "optional")
    },
    "ContainerPort.name": _container(ports=[{"name": "h2c", "containerPort": 8888}]),
    "ContainerPort.containerPort": _container(ports=[{"containerPort": 8888}]),
    "ContainerPort.protocol": _container(ports=[{"containerPort": 8888, "protocol": "TCP"}]),
    "ResourceRequirements.limits": _container(resources={"limits": {"cpu": "1", "memory": "1Gi"}}),
    "ResourceRequirements.requests": _container(
        resources={"requests": {"cpu": "1m", "memory": "1Mi"}}
    ),
    "SecurityContext.readOnlyRootFilesystem": _container(
        securityContext={"readOnlyRootFilesystem": True}
    ),
    "SecurityContext.runAsGroup": _container(securityContext={"runAsGroup": 1000}),
    "SecurityContext.runAsUser": _container(securityContext={"runAsUser": 1000}),
    "VolumeMount.mountPath": _volume({"configMap": _MAP}, mountPath="/elsewhere"),
    "VolumeMount.name": _volume({"configMap": _MAP}),
    "VolumeMount.subPath": _volume({"configMap": _MAP}, subPath="a"),
    "VolumeMount.readOnly": _volume({"configMap": _MAP}, readOnly=True),
    "Volume.configMap": _volume({"configMap": _MAP}),
    "Volume.secret": _volume({"secret": {"secretName": "some"}}),
    "Volume.projected": _projected({"configMap": _MAP}),
    "ConfigMapVolumeSource.defaultMode": _volume({"configMap": {**_MAP, "defaultMode": 256}}),
    "ConfigMapVolumeSource.items": _volume({"configMap": {**_MAP, "items": _ITEMS}}),
    "ConfigMapVolumeSource.name": _volume({"configMap": _MAP}),
    "ConfigMapVolumeSource.optional": _volume({"configMap": {**_MAP, "optional": True}}),
    "SecretVolumeSource.defaultMode": _volume({"secret": {"secretName": "s", "defaultMode": 256}}),
    "SecretVolumeSource.items": _volume({"secret": {"secretName": "s", "items": _ITEMS}}),
    "SecretVolumeSource.secretName": _volume({"secret": {"secretName": "s"}}),
    "SecretVolumeSource.optional": _volume({"secret": {"secretName": "s", "optional": True}}),
    "ProjectedVolumeSource.defaultMode": _volume(
        {"projected": {"defaultMode": 256, "sources": [{"configMap": _MAP}]}}
    ),
    "ProjectedVolumeSource.sources": _projected({"secret": _MAP}),
    "KeyToPath.key": _volume({"configMap": {**_MAP, "items": _ITEMS}}),
    "KeyToPath.mode": _volume({"configMap": {**_MAP, "items": [{**_ITEMS[0], "mode": 256}]}}),
    "KeyToPath.path": _volume({"configMap": {**_MAP, "items": _ITEMS}}),
    "VolumeProjection.configMap": _projected({"configMap": _MAP}),
    "VolumeProjection.secret": _projected({"secret": _MAP}),
    "ConfigMapProjection.items": _projected({"configMap": {**_MAP, "items": _ITEMS}}),
    "ConfigMapProjection.optional": _projected({"configMap": {**_MAP, "optional": True}}),
    "SecretProjection.items": _projected({"secret": {**_MAP, "items": _ITEMS}}),
    "SecretProjection.name": _projected({"secret": _MAP}),
    "SecretProjection.optional": _projected({"secret": {**_MAP, "optional": True}}),
}
"""What goes into ``spec.template.spec`` of a Service."""

STATUS: dict[str, str] = {
    **{
        f"{kind}.status.{field}": field
        for kind, fields in {
            "Service": (
                "conditions observedGeneration url address traffic latestReadyRevisionName "
                "latestCreatedRevisionName"
            ),
            "Configuration": (
                "conditions observedGeneration latestReadyRevisionName latestCreatedRevisionName"
            ),
            "Route": "conditions observedGeneration url address traffic",
            "Revision": "conditions logUrl containerStatuses actualReplicas desiredReplicas",
        }.items()
        for field in fields.split()
    }
}
"""Fields of the status of what is ready."""

OPERATIONS: dict[str, tuple[str, str]] = {
    f"{kind}/{operation}": (kind, operation)
    for kind in ("Service", "Revision", "Route", "Configuration")
    for operation in [
        "create",
        "patch",
        "replace",
        "delete",
        "read",
        "list",
        "watch",
        "deletecollection",
    ]
}
"""What can be done with each kind."""

RULES_BY_TABLE = {f"SF-{each}" for each in (*TEMPLATES, *STATUS, *OPERATIONS)}
"""The rules that have their tests from these tables."""
