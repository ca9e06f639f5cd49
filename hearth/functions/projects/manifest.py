"""The Service and the Triggers that a func.yaml asks for, as func's own deployer makes them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hearth.functions.deploying.manifest import set_env
from hearth.functions.projects.project import (
    REFERENCE,
    Env,
    Health,
    Project,
    ProjectError,
    Subscription,
    Volume,
)

Object = dict[str, Any]

NAME_LABEL = "function.knative.dev/name"
RUNTIME_LABEL = "function.knative.dev/runtime"
_SCALING = "autoscaling.knative.dev/"


def with_project(service: Object, project: Project, local: Mapping[str, str]) -> Object:
    """Return a copy of a Service as func.yaml wants it; ``local`` are variables of this machine.

    A template without a change is left alone, so that no new revision comes of it.
    """
    wanted = copy.deepcopy(service)
    labels = {
        "boson.dev/function": "true",
        NAME_LABEL: str(project.name),
        RUNTIME_LABEL: project.runtime or "",
        **{each.key: _value(each.value or "", local) for each in project.deploy.labels},
    }
    metadata = wanted["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    if project.deploy.annotations:
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            **project.deploy.annotations,
        }
    template = wanted["spec"].setdefault("template", {})
    before = copy.deepcopy(template)
    _fill(template, project, labels, local)
    if template != before:
        (template.get("metadata") or {}).pop("name", None)
    return wanted


def _fill(
    template: Object, project: Project, labels: Mapping[str, str], local: Mapping[str, str]
) -> None:
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    annotations = {**_scaling(project), **project.deploy.annotations}
    if annotations:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    spec = template.setdefault("spec", {})
    if project.deploy.service_account:
        spec["serviceAccountName"] = project.deploy.service_account
    if project.deploy.pull_secret:
        spec["imagePullSecrets"] = [{"name": project.deploy.pull_secret}]
    container = spec.setdefault("containers", [{}])[0]
    _resources(spec, container, project)
    _environment(container, project.run.envs, local)
    for number, volume in enumerate(project.run.volumes):
        _volume(spec, container, f"func-{number}", volume)
    health = project.deploy.health or Health()
    for probe, path in (
        ("livenessProbe", health.liveness or "/health/liveness"),
        ("readinessProbe", health.readiness or "/health/readiness"),
    ):
        container[probe] = {"httpGet": {"path": path, "port": 0}}


def _scaling(project: Project) -> dict[str, str]:
    scale = project.deploy.options.scale if project.deploy.options else None
    if scale is None:
        return {}
    said = {
        "min-scale": scale.min,
        "max-scale": scale.max,
        "metric": scale.metric,
        "target": None if scale.target is None else f"{scale.target:f}",
        "target-utilization-percentage": (
            None if scale.utilization is None else f"{scale.utilization:f}"
        ),
    }
    return {f"{_SCALING}{name}": str(value) for name, value in said.items() if value is not None}


def _resources(spec: Object, container: Object, project: Project) -> None:
    said = project.deploy.options.resources if project.deploy.options else None
    for kind, part in (("requests", said and said.requests), ("limits", said and said.limits)):
        values = {
            name: value
            for name, value in (("cpu", part and part.cpu), ("memory", part and part.memory))
            if value
        }
        if values:
            container.setdefault("resources", {})[kind] = values
    if said and said.limits and said.limits.concurrency is not None:
        spec["containerConcurrency"] = said.limits.concurrency


def _environment(container: Object, envs: list[Env], local: Mapping[str, str]) -> None:
    sources = []
    for env in envs:
        kind, name, key = reference(env)
        field = {"secret": "secret", "configMap": "configMap"}.get(kind, "")
        if env.name is None:
            if not field or key:
                raise ProjectError(
                    f"run.envs: {env.value!r} without a name: give {{{{ secret:NAME }}}} or "
                    "{{ configMap:NAME }}, whose keys become variables"
                )
            sources.append({f"{field}Ref": {"name": name}})
        elif field and not key:
            raise ProjectError(f"run.envs: {env.name}: {env.value!r} names no key")
        elif field:
            chosen = {f"{field}KeyRef": {"name": name, "key": key}}
            set_env(container, {"name": env.name, "valueFrom": chosen})
        else:
            set_env(container, {"name": env.name, "value": _value(env.value or "", local)})
    if sources:
        container["envFrom"] = sources


def reference(env: Env) -> tuple[str, str, str]:
    """Return what a value names: its kind, name and key; "" for a plain one."""
    value = (env.value or "").strip()
    found = REFERENCE.match(value)
    if found is None and value.startswith("{{"):
        raise ProjectError(
            f"run.envs: {value!r}: give {{{{ env:NAME }}}}, {{{{ secret:NAME:KEY }}}} or "
            "{{ configMap:NAME:KEY }}"
        )
    return (found[1], found[2], found[3] or "") if found else ("", "", "")


def _value(text: str, local: Mapping[str, str]) -> str:
    """A value, or that of a variable of this machine."""
    found = REFERENCE.match(text.strip())
    if found is None or found[1] != "env":
        return text
    if found[2] not in local:
        raise ProjectError(f"{text!r}: this machine has no variable {found[2]}")
    return local[found[2]]


def _volume(spec: Object, container: Object, name: str, volume: Volume) -> None:
    source: Object
    if volume.secret:
        source = {"secret": {"secretName": volume.secret}}
    elif volume.config_map:
        source = {"configMap": {"name": volume.config_map}}
    elif volume.claim:
        source = {"persistentVolumeClaim": volume.claim.model_dump(by_alias=True)}
    elif volume.empty_dir is not None:
        source = {"emptyDir": volume.empty_dir.model_dump(by_alias=True, exclude_none=True)}
    else:
        raise ProjectError(
            f"run.volumes: {volume.path} is of no Secret, ConfigMap, claim or emptyDir"
        )
    volumes = spec.setdefault("volumes", [])
    volumes[:] = [each for each in volumes if each["name"] != name] + [{"name": name, **source}]
    mounts = container.setdefault("volumeMounts", [])
    mount: Object = {"name": name, "mountPath": volume.path}
    if volume.claim and volume.claim.read_only:
        mount["readOnly"] = True
    mounts[:] = [each for each in mounts if each["name"] != name] + [mount]


def triggers(project: Project, service: Object) -> list[Object]:
    """Return the Triggers of ``deploy.subscriptions``, owned by the Service."""
    metadata = service["metadata"]
    ref = {"apiVersion": service["apiVersion"], "kind": "Service", "name": metadata["name"]}
    return [
        {
            "apiVersion": "eventing.knative.dev/v1",
            "kind": "Trigger",
            "metadata": {
                "name": f"{metadata['name']}-function-trigger-{number}",
                "namespace": metadata["namespace"],
                "ownerReferences": [{**ref, "uid": metadata["uid"]}],
            },
            "spec": {
                "broker": subscription.source,
                "filter": {"attributes": subscription.filters},
                "subscriber": {"ref": {**ref, "namespace": metadata["namespace"]}},
            },
        }
        for number, subscription in enumerate(project.deploy.subscriptions)
    ]


def subscribed(project: Project, source: str, filters: Mapping[str, str]) -> Project:
    """Return the project with filters for a source, joined to those that it has."""
    changed = project.model_copy(deep=True)
    for each in changed.deploy.subscriptions:
        if each.source == source:
            each.filters = {**each.filters, **filters}
            return changed
    changed.deploy.subscriptions.append(Subscription(source=source, filters=dict(filters)))
    return changed
