"""Good practice: what a server takes and what goes wrong later all the same, rule by rule.

A rule is left out for an object by the annotation ``hearth.dev/ignore`` with its name, or for all
by a flag.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hearth.functions.drafting.belonging import SERVING, identity
from hearth.functions.drafting.parameters import scaled_by_others
from hearth.kube import meta
from hearth.kube.meta import Object, name, namespace

IGNORE = "hearth.dev/ignore"


class Level(enum.StrEnum):
    """How bad it is: refused by a server, likely to go wrong, worth a thought."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


Seen = tuple[str, str]
"""The path of a field, "" for the whole object, and what was seen there."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``look`` gets an object and all objects that are looked at beside it."""

    name: str
    level: Level
    reason: str
    remedy: str
    look: Callable[[Object, Sequence[Object]], Iterator[Seen]]


def practice(obj: Object, among: Sequence[Object]) -> Iterator[tuple[Rule, Seen]]:
    """Give what is against good practice in an object, but for what it says to ignore."""
    ignored = {each.strip() for each in str(meta.annotations(obj).get(IGNORE, "")).split(",")}
    for rule in RULES:
        if rule.name not in ignored:
            yield from ((rule, seen) for seen in rule.look(obj, among))


# -- pods ------------------------------------------------------------------------------------------


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


def _is_service(obj: Object) -> bool:
    return identity(obj)[:2] == (SERVING, "Service")


def _memory_limit(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    for path, container, _pod in containers(obj):
        if not ((container.get("resources") or {}).get("limits") or {}).get("memory"):
            yield f"{path}.resources", f"{_called(container)} has no limit of memory"


def _requests(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    for path, container, _pod in containers(obj):
        given = container.get("resources") or {}
        if not (
            {"cpu"} & ((given.get("requests") or {}).keys() | (given.get("limits") or {}).keys())
        ):
            yield f"{path}.resources", f"{_called(container)} asks for no cpu"


def _tag(image: str) -> str:
    return image.rpartition("/")[2].partition(":")[2]


def _latest(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    for path, container, _pod in containers(obj):
        image = str(container.get("image") or "")
        if image and "@" not in image and _tag(image) in ("", "latest"):
            yield f"{path}.image", f"{image} is whatever is newest when a pod starts"


def _digest(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    for path, container, _pod in containers(obj):
        image = str(container.get("image") or "")
        if image and "@" not in image and _tag(image) not in ("", "latest"):
            yield f"{path}.image", f"{image} is named by a tag, which can be moved"


def _local(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    for path, container, _pod in containers(obj):
        image = str(container.get("image") or "")
        if image.startswith("dev.local/"):
            yield f"{path}.image", f"{image} is known on one machine only"


def _root(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    for path, container, pod in containers(obj):
        levels = (container.get("securityContext") or {}, pod.get("securityContext") or {})
        user = next((each["runAsUser"] for each in levels if "runAsUser" in each), None)
        non_root = next((each["runAsNonRoot"] for each in levels if "runAsNonRoot" in each), None)
        if user == 0 or (not user and not non_root):
            yield f"{path}.securityContext", f"{_called(container)} may run as root"


def _privileged(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    for path, container, _pod in containers(obj):
        if (container.get("securityContext") or {}).get("privileged"):
            yield f"{path}.securityContext.privileged", f"{_called(container)} is privileged"
    for path, pod in pods(obj):
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(field):
                yield f"{path}.{field}", f"its pods have the machine's {field.removeprefix('host')}"
        for index, volume in enumerate(pod.get("volumes") or ()):
            if "hostPath" in volume:
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


def _secret_values(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
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


def _readiness(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    """Knative probes by itself; what takes no connections has nothing to be ready for."""
    if identity(obj)[:2] not in (("apps", "Deployment"), ("apps", "StatefulSet")):
        return
    for path, container, _pod in containers(obj):
        if container.get("ports") and not container.get("readinessProbe"):
            yield path, f"{_called(container)} has ports and no readinessProbe"


# -- scale -----------------------------------------------------------------------------------------

_TIMER = re.compile(r"(?i)(^|_)(CRON|SCHEDULE|INTERVAL|POLL(ING)?|EVERY)($|_)")
_SCALING = "autoscaling.knative.dev/"


def _scale(obj: Object, *keys: str) -> str:
    template = ((obj.get("spec") or {}).get("template") or {}).get("metadata") or {}
    given = template.get("annotations") or {}
    return next((str(given[_SCALING + key]) for key in keys if _SCALING + key in given), "")


def _timers(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    if not _is_service(obj) or _scale(obj, "min-scale", "minScale") not in ("", "0"):
        return
    for path, container, _pod in containers(obj):
        for index, each in enumerate(container.get("env") or ()):
            if isinstance(each, dict) and _TIMER.search(str(each.get("name"))):
                what = f"{each['name']} sounds like a timer, and its pods end when nobody asks"
                yield f"{path}.env[{index}]", what


def _most_pods(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    if _is_service(obj) and _scale(obj, "max-scale", "maxScale") in ("", "0"):
        yield "spec.template.metadata.annotations", "nothing says how many pods there may be"


def _counted_twice(obj: Object, among: Sequence[Object]) -> Iterator[Seen]:
    own = [each for each in among if namespace(each) == namespace(obj)]
    if "replicas" in (obj.get("spec") or {}) and identity(obj) in scaled_by_others(own):
        yield "spec.replicas", "replicas are given, and something else counts its pods"


def _spread(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    if identity(obj)[:2] != ("apps", "Deployment"):
        return
    replicas = (obj.get("spec") or {}).get("replicas")
    for path, pod in pods(obj):
        is_spread = pod.get("topologySpreadConstraints") or (pod.get("affinity") or {}).get(
            "podAntiAffinity"
        )
        if isinstance(replicas, int) and replicas > 1 and not is_spread:
            yield path, f"its {replicas} pods may all be on one node"


def _blocking_budget(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    if identity(obj)[:2] != ("policy", "PodDisruptionBudget"):
        return
    spec = obj.get("spec") or {}
    if spec.get("maxUnavailable") in (0, "0", "0%"):
        yield "spec.maxUnavailable", "no pod may ever be away"
    if spec.get("minAvailable") == "100%":
        yield "spec.minAvailable", "no pod may ever be away"


# -- others ----------------------------------------------------------------------------------------


def _same_selector(obj: Object, among: Sequence[Object]) -> Iterator[Seen]:
    selector = (obj.get("spec") or {}).get("selector")
    if identity(obj)[:2] != ("", "Service") or not selector:
        return
    for each in among:
        mine = identity(each)[:2] == ("", "Service") and namespace(each) == namespace(obj)
        if (
            mine
            and name(each) != name(obj)
            and (each.get("spec") or {}).get("selector") == selector
        ):
            yield "spec.selector", f"Service {name(each)} selects the same pods"


def _twice(obj: Object, among: Sequence[Object]) -> Iterator[Seen]:
    key = (identity(obj), namespace(obj))
    same = [each for each in among if (identity(each), namespace(each)) == key]
    if len(same) > 1 and same[0] is not obj and name(obj):
        yield "metadata.name", "there is another of this kind and name"


def _dead_letters(obj: Object, among: Sequence[Object]) -> Iterator[Seen]:
    if identity(obj)[1] != "Trigger":
        return
    spec = obj.get("spec") or {}
    brokers = [each for each in among if each.get("kind") == "Broker"
               and name(each) == spec.get("broker")]  # fmt: skip
    deliveries = [spec, *(each.get("spec") or {} for each in brokers)]
    if not any((each.get("delivery") or {}).get("deadLetterSink") for each in deliveries):
        yield "spec", "events that its subscriber does not take go nowhere"


W, H = Level.WARNING, Level.HINT
RULES: Sequence[Rule] = (
    Rule("memory-limit", W, "one pod can take all of a node's memory, and others are ended for it",
         "set resources.limits.memory", _memory_limit),
    Rule("cpu-request", H, "the scheduler takes it for nothing and puts too many on one node",
         "set resources.requests.cpu", _requests),
    Rule("latest-tag", W, "two pods may run two versions, and going back is not possible",
         "name a version, or better a digest", _latest),
    Rule("image-digest", H, "what was tested and what runs may differ",
         "name the image by its digest, NAME@sha256:...", _digest),
    Rule("local-image", W, "no other machine and no cluster can get it",
         "push it: hearth deploy --registry HOST/PATH, or hearth export --registry", _local),
    Rule("run-as-root", W, "who breaks out of it is root on the node",
         "set securityContext.runAsNonRoot: true, and USER in the Dockerfile", _root),
    Rule("privileged", W, "it can do to the machine whatever it likes",
         "leave it out, or say in hearth.dev/ignore that it is meant", _privileged),
    Rule("secret-in-value", W, "everybody who may read the object reads it, and so does git",
         "put it into a Secret and name that by valueFrom.secretKeyRef", _secret_values),
    Rule("readiness-probe", W, "requests come while it starts and while it cannot answer",
         "add a readinessProbe", _readiness),
    Rule("timer-at-zero", W, "at zero nothing runs, timers least of all",
         "have a PingSource send it an event, or set autoscaling.knative.dev/min-scale: \"1\"",
         _timers),
    Rule("max-scale", H, "a flood of requests makes pods until the cluster is full",
         "set autoscaling.knative.dev/max-scale", _most_pods),
    Rule("counted-twice", W, "each apply takes its pods back to that number",
         "leave replicas out", _counted_twice),
    Rule("spread", H, "one node that goes takes all of them along",
         "add topologySpreadConstraints over kubernetes.io/hostname", _spread),
    Rule("blocking-budget", W, "nodes can never be drained",
         "let one pod be away: maxUnavailable: 1", _blocking_budget),
    Rule("same-selector", W, "requests for one reach the other's port",
         "give each its own labels", _same_selector),
    Rule("twice", W, "the later one replaces the earlier", "leave one out", _twice),
    Rule("dead-letter-sink", H, "nobody is told; they stay in the Broker's log at best",
         "set spec.delivery.deadLetterSink, of the Trigger or of its Broker", _dead_letters),
)  # fmt: skip
