"""The Triggers of a Pipeline, one for each distinct ``@on``. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hearth.knative.resources import TRIGGERS
from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.kube.plan import Action, Create, Delete, Patch
from hearth.pipelines.api import keys
from hearth.pipelines.reading import Handler
from hearth.pipelines.sdk.matching import expression
from hearth.pipelines.views import PipelineSettings

_DELIVERY = {"retry": 12, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}
"""An hour nearly: an event waits where the component is away."""


def make_triggers(pipeline: Object, handlers: Sequence[Handler], url: str) -> dict[str, Object]:
    """Return the Triggers that a pipeline wants, by name."""
    where = meta.namespace(pipeline), meta.name(pipeline)
    found = {}
    for each in handlers:
        said = f"{each.pattern}\n{each.attributes}".encode()
        name = f"{where[1]}-{hashlib.sha256(said).hexdigest()[:8]}"
        found[name] = {
            "apiVersion": TRIGGERS.api_version,
            "kind": TRIGGERS.kind,
            "metadata": {
                "name": name,
                "namespace": where[0],
                "labels": {keys.PIPELINE_LABEL: where[1]},
                "ownerReferences": [meta.owner_reference(pipeline)],
            },
            "spec": {
                "broker": PipelineSettings(pipeline["spec"]).broker,
                "filters": [{"cesql": expression(each.pattern, dict(each.attributes))}],
                "subscriber": {"uri": f"{url}/events/{where[0]}/{where[1]}"},
                "delivery": dict(_DELIVERY),
            },
        }
    return found


def changes(there: Sequence[Object], wanted: dict[str, Object]) -> list[Action]:
    """Return what makes the Triggers that are there those that are wanted."""
    known = {meta.name(each): each for each in there}
    actions: list[Action] = [
        Create(TRIGGERS, obj) for name, obj in wanted.items() if name not in known
    ]
    for name, obj in known.items():
        where = meta.namespace(obj)
        if name not in wanted or obj["spec"].get("broker") != wanted[name]["spec"]["broker"]:
            # A Trigger's broker cannot be changed: it is made anew once it is gone.
            actions.append(Delete(TRIGGERS, where, name, uid=meta.uid(obj)))
        elif any(obj["spec"].get(k) != v for k, v in wanted[name]["spec"].items()):
            actions.append(Patch(TRIGGERS, name, where, {"spec": wanted[name]["spec"]}))
    return actions
