"""The Service that a deployment wants, from the one that is there.

Only what the settings say is changed; what others wrote into the object stays.
"""

from __future__ import annotations

import copy
from typing import Any

from hearth.functions.deploying.progress import newest_revision
from hearth.functions.deploying.settings import DeploySettings, SettingsError

Object = dict[str, Any]

_SCALING = "autoscaling.knative.dev/"
_OWN_SCALING = "autoscaling.hearth.dev/"
_WARM = "hearth.dev/warm-interpreter"
_VISIBILITY = "networking.knative.dev/visibility"


def new_service(name: str, namespace: str) -> Object:
    """Return a Service with nothing in it."""
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {},
    }


def with_settings(service: Object, settings: DeploySettings) -> Object:
    """Return a copy of a Service as the settings want it; raise SettingsError on what cannot be.

    A template without a change is left alone, name and all, so that no new revision comes of it.
    """
    wanted = copy.deepcopy(service)
    metadata = wanted["metadata"]
    if settings.private is not None:
        labels = metadata.setdefault("labels", {})
        labels.pop(_VISIBILITY, None)
        if settings.private:
            labels[_VISIBILITY] = "cluster-local"
    # What is said last counts: the Service's own scale would be above its template's.
    for name, value in _scale(settings).items():
        if value is not None:
            (metadata.get("annotations") or {}).pop(f"{_OWN_SCALING}{name}", None)
    template = wanted["spec"].setdefault("template", {})
    before = copy.deepcopy(template)
    _fill_template(template, settings)
    if template != before:
        (template.get("metadata") or {}).pop("name", None)
    return wanted


def with_revision(
    wanted: Object, there: Object | None, suffix: str, tag: str
) -> tuple[Object, str]:
    """Return a Service whose next revision has a name, and that name.

    It is the Service's and the suffix; without one it is of the Service's generation and of what
    the tag says, and that of the newest revision where the template stays as it is.
    """
    metadata = wanted["metadata"]
    template = wanted["spec"].setdefault("template", {})
    is_same = there is not None and _unnamed(there["spec"].get("template")) == _unnamed(template)
    if is_same and not suffix:
        return wanted, newest_revision(there or {})
    if not suffix:
        suffix = f"{int(metadata.get('generation') or 0) + 1:05}-{tag}"
    name = f"{metadata['name']}-{suffix}"
    before = ((there or {}).get("spec", {}).get("template") or {}).get("metadata") or {}
    if before.get("name") == name and not is_same:
        raise SettingsError(f"revision {name} is there already, and is another: give a new suffix")
    template.setdefault("metadata", {})["name"] = name
    return wanted, name


def _unnamed(template: Object | None) -> Object:
    given = template or {}
    metadata = {k: v for k, v in (given.get("metadata") or {}).items() if k != "name"}
    return {**given, "metadata": metadata}


def has_port(service: Object) -> bool:
    """Whether a Service says where it listens."""
    spec = (service["spec"].get("template") or {}).get("spec") or {}
    return any(each.get("ports") for each in spec.get("containers") or ())


def _scale(settings: DeploySettings) -> dict[str, float | None]:
    return {"min-scale": settings.min, "max-scale": settings.max, "target": settings.target}


def _fill_template(template: Object, settings: DeploySettings) -> None:
    annotations = {
        f"{_SCALING}{name}": str(value)
        for name, value in _scale(settings).items()
        if value is not None
    }
    if settings.warm is not None:
        annotations[_WARM] = "enabled" if settings.warm else "disabled"
    annotations |= settings.annotations
    metadata = template.setdefault("metadata", {})
    _merge(metadata, "annotations", annotations)
    _merge(metadata, "labels", settings.labels)
    spec = template.setdefault("spec", {})
    for field, value in (
        ("containerConcurrency", settings.concurrency),
        ("timeoutSeconds", settings.timeout),
        ("serviceAccountName", settings.service_account),
    ):
        if value is not None:
            spec[field] = value
    container = _serving_container(spec)
    _fill_container(container, settings)
    for place, named in settings.secrets.items():
        _add_secret(spec, container, place, named)


def _serving_container(spec: Object) -> Object:
    """The container that takes requests: the one with a port, or the only one."""
    containers: list[Object] = spec.setdefault("containers", [{}])
    return next((each for each in containers if each.get("ports")), containers[0])


def _fill_container(container: Object, settings: DeploySettings) -> None:
    for field, value in (
        ("image", settings.image),
        ("command", settings.command),
        ("args", settings.args),
    ):
        if value is not None:
            container[field] = value
    if settings.port is not None:
        container["ports"] = [{"containerPort": settings.port}]
    limits = {
        name: value
        for name, value in (("cpu", settings.cpu), ("memory", settings.memory))
        if value is not None
    }
    if limits:
        _merge(container.setdefault("resources", {}), "limits", limits)
    for name, text in settings.env.items():
        set_env(container, {"name": name, "value": text})
    if settings.unset:
        left = [each for each in container.get("env") or () if each["name"] not in settings.unset]
        container["env"] = left


def set_env(container: Object, variable: Object) -> None:
    """Put a variable where one of its name is, else at the end; the order of others stays."""
    env: list[Object] = container.setdefault("env", [])
    for index, each in enumerate(env):
        if each["name"] == variable["name"]:
            env[index] = variable
            return
    env.append(variable)


def _add_secret(spec: Object, container: Object, place: str, named: str) -> None:
    secret, colon, key = named.partition(":")
    if not place.startswith("/"):
        if not colon:
            raise SettingsError(f"secret {named!r} for {place}: give SECRET:KEY")
        reference = {"secretKeyRef": {"name": secret, "key": key}}
        set_env(container, {"name": place, "valueFrom": reference})
        return
    name = "secret-" + place.strip("/").lower().replace("/", "-").replace(".", "-").replace(
        "_", "-"
    )
    _put(spec, "volumes", "name", {"name": name, "secret": {"secretName": secret}})
    mount = {"name": name, "mountPath": place, "readOnly": True}
    _put(container, "volumeMounts", "mountPath", mount)


def _put(holder: Object, field: str, key: str, entry: Object) -> None:
    entries: list[Object] = holder.setdefault(field, [])
    entries[:] = [each for each in entries if each.get(key) != entry[key]] + [entry]


def _merge(holder: Object, field: str, values: dict[str, str]) -> None:
    if values:
        holder[field] = {**(holder.get(field) or {}), **values}
