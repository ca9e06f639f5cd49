"""Good practice of pods: what each rule looks at in their containers, whatever kind they are of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from hearth.functions.drafting.belonging import SERVING, identity
from hearth.kube.meta import Object

Seen = tuple[str, str]
"""The path of a field, "" for the whole object, and what was seen there."""


def _pods(value: Any, path: str) -> Iterator[tuple[str, Object]]:
    """The pod specs in an object, wherever its kind has them."""
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield path, value
            return
        for key, inner in value.items():
            yield from _pods(inner, f"{path}.{key}")


def pods(obj: Object) -> Iterator[tuple[str, Object]]:
    """Give an object's pod specs with their paths."""
    yield from _pods(obj.get("spec"), "spec")


def containers(obj: Object) -> Iterator[tuple[str, Object, Object]]:
    """Give each container with its path and the pod spec it is in."""
    for path, pod in pods(obj):
        for index, each in enumerate(pod["containers"]):
            if isinstance(each, dict):
                yield f"{path}.containers[{index}]", each, pod


def _called(container: Object) -> str:
    title = container.get("name")
    return f"container {title}" if title else "the container"


def is_service(obj: Object) -> bool:
    """Whether it is a Knative Service."""
    return identity(obj)[:2] == (SERVING, "Service")


def memory_limit(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Give containers without a limit of memory."""
    for path, container, _pod in containers(obj):
        if not ((container.get("resources") or {}).get("limits") or {}).get("memory"):
            yield f"{path}.resources", f"{_called(container)} has no limit of memory"


def requests(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Give containers that ask for no cpu."""
    for path, container, _pod in containers(obj):
        given = container.get("resources") or {}
        if not (
            {"cpu"} & ((given.get("requests") or {}).keys() | (given.get("limits") or {}).keys())
        ):
            yield f"{path}.resources", f"{_called(container)} asks for no cpu"


def _tag(image: str) -> str:
    return image.rpartition("/")[2].partition(":")[2]


def latest(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Give images without a version."""
    for path, container, _pod in containers(obj):
        image = str(container.get("image") or "")
        if image and "@" not in image and _tag(image) in ("", "latest"):
            yield f"{path}.image", f"{image} is whatever is newest when a pod starts"


def digest(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Give images by a tag."""
    for path, container, _pod in containers(obj):
        image = str(container.get("image") or "")
        if image and "@" not in image and _tag(image) not in ("", "latest"):
            yield f"{path}.image", f"{image} is named by a tag, which can be moved"


def local(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Give images of one machine."""
    for path, container, _pod in containers(obj):
        image = str(container.get("image") or "")
        if image.startswith("dev.local/"):
            yield f"{path}.image", f"{image} is known on one machine only"


def root(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Give containers that may be root."""
    for path, container, pod in containers(obj):
        levels = (container.get("securityContext") or {}, pod.get("securityContext") or {})
        user = next((each["runAsUser"] for each in levels if "runAsUser" in each), None)
        non_root = next((each["runAsNonRoot"] for each in levels if "runAsNonRoot" in each), None)
        if user == 0 or (not user and not non_root):
            yield f"{path}.securityContext", f"{_called(container)} may run as root"


def privileged(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Give containers and pods with rights over the machine."""
    for path, container, _pod in containers(obj):
        if (container.get("securityContext") or {}).get("privileged"):
            yield f"{path}.securityContext.privileged", f"{_called(container)} is privileged"
    for path, pod in pods(obj):
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(field):
                yield f"{path}.{field}", f"its pods have the machine's {field.removeprefix('host')}"
        for index, volume in enumerate(pod.get("volumes") or ()):
            if isinstance(volume, dict) and "hostPath" in volume:
                at = f"{path}.volumes[{index}].hostPath"
                yield at, f"volume {volume.get('name')} is a folder of the machine"


_SECRET_NAME = re.compile(
    r"(?i)(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)($|_)"
)
_NO_SECRET = re.compile(r"(?i)_(FILE|PATH|URL|NAME|HEADER|TTL|SECONDS|LENGTH)$")
_LOGIN = re.compile(r"://[^/\s:@]+:[^/\s@]+@")


def _secret(title: str, value: Any) -> str:
    """What is said of a value that looks like a secret by its name, or has a login in it."""
    if not isinstance(value, str) or not value or "\n" in value or "$(" in value:
        return ""
    if _LOGIN.search(value):
        return f"{title} has a password in it"
    is_named = _SECRET_NAME.search(title) and not _NO_SECRET.search(title)
    return f"{title} looks like a secret" if is_named else ""


def secret_values(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Give values that look like secrets, in containers and ConfigMaps."""
    for path, container, _pod in containers(obj):
        for index, each in enumerate(container.get("env") or ()):
            if isinstance(each, dict) and (
                what := _secret(str(each.get("name")), each.get("value"))
            ):
                yield f"{path}.env[{index}].value", what
    if identity(obj)[:2] == ("", "ConfigMap"):
        for key, value in (obj.get("data") or {}).items():
            if what := _secret(str(key), value):
                yield f"data.{key}", what


def readiness(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Give containers with ports and no probe; Knative probes by itself."""
    if identity(obj)[:2] not in (("apps", "Deployment"), ("apps", "StatefulSet")):
        return
    for path, container, _pod in containers(obj):
        if container.get("ports") and not container.get("readinessProbe"):
            yield path, f"{_called(container)} has ports and no readinessProbe"
