"""Rules of Event. Pure; used by the catalog of kinds.

Names of core/v1 are as free as a path allows: clients put kinds and words of their own into them,
capitals included. Only events.k8s.io/v1, which is not served, asks for DNS names.
"""

from __future__ import annotations

from collections.abc import Iterator

from hearth.cluster.kinds.base import Rules, text_at
from hearth.cluster.model.checks import each, path_segment_problems
from hearth.cluster.model.fielderrors import FieldError, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import qualified_name_problems

_MISMATCH = "does not match event.namespace"
_LIMITS = (("action", 128), ("reason", 128))
_LONGEST_NOTE = 1024


def _errors(obj: Object) -> Iterator[FieldError]:
    about = (obj.get("involvedObject") or {}).get("namespace", "")
    namespace = obj["metadata"].get("namespace", "")
    path = "involvedObject.namespace"
    if obj.get("eventTime") is None:
        if namespace != (about or "default"):
            yield invalid(path, about, _MISMATCH)
        return
    if not about and namespace not in ("default", "kube-system"):
        yield invalid(path, about, _MISMATCH)
    yield from _new_event_errors(obj)


def _new_event_errors(obj: Object) -> Iterator[FieldError]:
    controller, instance = obj.get("reportingComponent", ""), obj.get("reportingInstance", "")
    if not controller:
        yield required("reportingComponent")
    yield from each("reportingComponent", controller, qualified_name_problems(controller))
    if not instance:
        yield required("reportingInstance")
    elif len(instance) > 128:
        yield invalid("reportingInstance", "", "can have at most 128 characters")
    for key, limit in _LIMITS:
        text = obj.get(key, "")
        if not text:
            yield required(key)
        elif len(text) > limit:
            yield invalid(key, "", f"can have at most {limit} characters")
    if len(obj.get("message", "")) > _LONGEST_NOTE:
        yield invalid("message", "", f"can have at most {_LONGEST_NOTE} characters")


def _source(obj: Object) -> str:
    source = (obj.get("source") or {}).get("component")
    return str(source or obj.get("reportingComponent") or "")


_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

EVENT = Rules(
    validate=_errors,
    name=path_segment_problems,
    fields={
        **{f"involvedObject.{key}": text_at("involvedObject", key) for key in _REFERENCE},
        "reason": text_at("reason"),
        "reportingComponent": text_at("reportingComponent"),
        "source": _source,
        "type": text_at("type"),
    },
)
