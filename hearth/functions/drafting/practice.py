"""Good practice: what a server takes and what goes wrong later all the same, rule by rule.

A rule is left out for an object by the annotation ``hearth.dev/ignore`` with its name, or for all
by a flag.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hearth.functions.drafting import podrules
from hearth.functions.drafting.belonging import identity
from hearth.functions.drafting.parameters import scaled_by_others
from hearth.functions.drafting.podrules import Seen, containers, is_service, pods
from hearth.kube import meta
from hearth.kube.meta import Object, name, namespace

IGNORE = "hearth.dev/ignore"


class Level(enum.StrEnum):
    """How bad it is: refused by a server, likely to go wrong, worth a thought."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


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


# -- scale -----------------------------------------------------------------------------------------

_TIMER = re.compile(r"(?i)(^|_)(CRON|SCHEDULE|INTERVAL|POLL(ING)?|EVERY)($|_)")
_SCALING = "autoscaling.knative.dev/"


def _scale(obj: Object, *keys: str) -> str:
    template = ((obj.get("spec") or {}).get("template") or {}).get("metadata") or {}
    given = template.get("annotations") or {}
    return next((str(given[_SCALING + key]) for key in keys if _SCALING + key in given), "")


def _timers(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    if not is_service(obj) or _scale(obj, "min-scale", "minScale") not in ("", "0"):
        return
    for path, container, _pod in containers(obj):
        for index, each in enumerate(container.get("env") or ()):
            if isinstance(each, dict) and _TIMER.search(str(each.get("name"))):
                what = f"{each['name']} sounds like a timer, and its pods end when nobody asks"
                yield f"{path}.env[{index}]", what


def _most_pods(obj: Object, _: Sequence[Object]) -> Iterator[Seen]:
    if is_service(obj) and _scale(obj, "max-scale", "maxScale") in ("", "0"):
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
         "set resources.limits.memory", podrules.memory_limit),
    Rule("cpu-request", H, "the scheduler takes it for nothing and puts too many on one node",
         "set resources.requests.cpu", podrules.requests),
    Rule("latest-tag", W, "two pods may run two versions, and going back is not possible",
         "name a version, or better a digest", podrules.latest),
    Rule("image-digest", H, "what was tested and what runs may differ",
         "name the image by its digest, NAME@sha256:...", podrules.digest),
    Rule("local-image", W, "no other machine and no cluster can get it",
         "push it: hearth deploy --registry HOST/PATH, or hearth export --registry",
         podrules.local),
    Rule("run-as-root", W, "who breaks out of it is root on the node",
         "set securityContext.runAsNonRoot: true, and USER in the Dockerfile", podrules.root),
    Rule("privileged", W, "it can do to the machine whatever it likes",
         "leave it out, or say in hearth.dev/ignore that it is meant", podrules.privileged),
    Rule("secret-in-value", W, "everybody who may read the object reads it, and so does git",
         "put it into a Secret and name that by valueFrom.secretKeyRef", podrules.secret_values),
    Rule("readiness-probe", W, "requests come while it starts and while it cannot answer",
         "add a readinessProbe", podrules.readiness),
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
