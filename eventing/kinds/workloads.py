"""Deployments that sources make: whether they are as they should be, and ready. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventing.api.views import status_of
from eventing.kinds.lastwords import ADAPTER_FAILED, last_words
from hearth.knative.conditions import ConditionManager
from hearth.kube import meta
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, name
from hearth.kube.plan import Action, Create, Event, Update
from hearth.kube.resources import DEPLOYMENTS


def covers(have: Any, want: Any) -> bool:
    """Whether all that is wanted is there, whatever others and the server's defaults add.

    Knative's rule (``equality.Semantic.DeepDerivative``): an empty value asks for nothing. Lists
    have to be of one length, which is where Knative does not see that a container was taken out.
    """
    if not want:
        return True
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all(
            covers(have.get(field), value) for field, value in want.items()
        )
    if isinstance(want, list):
        return isinstance(have, list) and len(have) == len(want) and all(map(covers, have, want))
    return bool(have == want)


def kept_deployment(
    owner: Object, desired: Object, existing: Object | None, *, kind: str, scales: bool = False
) -> tuple[Action, ...]:
    """Return what makes a Deployment have the pod template it should have.

    With ``scales`` it also has the replicas it should have, which else are the operator's to say.

    Events are told as Knative's controllers do, with the owner's ``kind`` in their reasons.
    """
    if existing is None:
        text = f'Deployment created "{name(desired)}"'
        told = Event(owner, "Normal", f"{kind}DeploymentCreated", text)
        return Create(DEPLOYMENTS, desired), told
    if not meta.is_controlled_by(existing, owner):
        return ()
    spec, wanted = existing["spec"], {"template": desired["spec"]["template"]}
    if scales:
        wanted["replicas"] = desired["spec"]["replicas"]
    if covers(spec.get("template"), wanted["template"]):
        wanted["template"] = spec["template"]
    if wanted.items() <= spec.items():
        return ()
    changed = {**existing, "spec": {**spec, **wanted}}
    text = f'Deployment updated "{name(desired)}"'
    told = Event(owner, "Normal", f"{kind}DeploymentUpdated", text)
    return Update(DEPLOYMENTS, changed), told


def mark_deployment(
    condition: str,
    deployment: Object | None,
    title: str,
    conditions: ConditionManager,
    *,
    whole: bool = True,
    pods: Sequence[Object] = (),
) -> None:
    """Tell of a Deployment's availability; ``whole`` also waits for the last of its pods.

    Why none is available its ``pods`` may say.
    """
    available = Conditions.of(deployment).get("Available") if deployment is not None else None
    words = last_words(pods)
    if words and (available is None or available["status"] != "True"):
        conditions.mark_false(condition, ADAPTER_FAILED, words)
    elif available is None:
        text = f"The Deployment '{title}' is unavailable."
        conditions.mark_unknown(condition, "DeploymentUnavailable", text)
    elif available["status"] != "True":
        conditions.propagate(condition, available)
    elif whole and (missing := status_of(deployment or {}).get("unavailableReplicas", 0)):
        text = f"Deployment has {missing} unavailable replica(s)."
        conditions.mark_unknown(condition, "DeploymentUpdating", text)
    else:
        conditions.mark_true(condition)


def mark_foreign(
    condition: str, deployment: Object | None, owner: Object, conditions: ConditionManager
) -> bool:
    """Tell of a Deployment of that name that is somebody else's; whether it is so."""
    if deployment is None or meta.is_controlled_by(deployment, owner):
        return False
    text = f'deployment "{name(deployment)}" is not owned by {owner["kind"]} "{name(owner)}"'
    conditions.mark_false(condition, "NotOwned", text)
    return True
