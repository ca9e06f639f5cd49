"""Which pods a ReplicaSet is to give up when a revision gets fewer: those with least to do. Pure.

A ReplicaSet gives up pods that are not ready first, and of the ready ones those whose annotation
``controller.kubernetes.io/pod-deletion-cost`` says less. It is written only for a step down, before
it, and only on pods for which it says something new: in steady state nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hearth.kube.meta import Object, creation_timestamp, is_deleting, name, namespace
from hearth.kube.plan import Patch
from hearth.kube.resources import PODS
from hearth.kube.views import DELETION_COST, Pod

_GIVEN_UP = "-1"


def cost_patches(
    pods: Sequence[Object], busy: Mapping[str, int], *, keep: int
) -> tuple[Patch, ...]:
    """Return the writes after which all but ``keep`` ready pods are given up, the least busy first.

    Of pods that are equally busy the younger goes: that is a ReplicaSet's own rule.
    """
    ready = [pod for pod in pods if Pod(pod).is_ready and not is_deleting(pod)]
    ready.sort(key=creation_timestamp)
    ready.sort(key=lambda pod: busy.get(name(pod), 0), reverse=True)
    patches = [_marked(pod, given_up=place >= keep) for place, pod in enumerate(ready)]
    return tuple(patch for patch in patches if patch is not None)


def _marked(pod: Object, *, given_up: bool) -> Patch | None:
    """Return the write that marks a pod, or takes back what a step that never came said of it."""
    if (Pod(pod).deletion_cost < 0) == given_up:
        return None
    annotations = {DELETION_COST: _GIVEN_UP if given_up else None}
    return Patch(PODS, name(pod), namespace(pod), {"metadata": {"annotations": annotations}})
