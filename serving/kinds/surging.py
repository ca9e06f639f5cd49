"""Looks up what bounds a revision in pods while a rollout goes on. Pure."""

from __future__ import annotations

from functools import partial

from hearth.kube import meta
from hearth.kube.controllerspec import Lister
from hearth.kube.meta import Object, key_text, name, namespace
from hearth.kube.views import Workload
from serving.api import keys, views
from serving.api.rollouts import surge_of
from serving.kinds import sources
from serving.routing.surge import Limits, limits_of


def surge_limits(lister: Lister, obj: Object, service: Object | None) -> Limits | None:
    """Return the limits of a Revision, given it or its PodAutoscaler; None where there are none."""
    surge = surge_of(meta.annotations(service or {}))
    if surge is None or service is None:
        return None
    where = namespace(obj)
    return limits_of(
        name(obj),
        lister.get(sources.INGRESSES, where, name(service)),
        surge=surge,
        pods=partial(_pods, lister, where),
        made=partial(_made, lister, where),
    )


def _made(lister: Lister, where: str, revision: str) -> int:
    """Return which generation of its Configuration a revision is of."""
    found = views.Revision(lister.get(sources.REVISIONS, where, revision))
    if keys.ROLLED_BACK_TO in meta.annotations(found.object):
        return -1  # nothing goes there: its pods make room
    generation = found.configuration_generation
    return int(generation) if generation.isdecimal() else 0


def _pods(lister: Lister, where: str, revision: str) -> int:
    """Count the pods of a revision that are there, ending ones included, or asked for."""
    there = len(lister.by_index(sources.PODS_BY_REVISION, key_text((where, revision))))
    scaler = lister.get(sources.PODAUTOSCALERS, where, revision)
    if scaler is None:
        return there
    target = views.PodAutoscaler(scaler).target_name
    deployment = lister.get(sources.DEPLOYMENTS, where, target)
    return max(there, Workload(deployment).replicas if deployment is not None else 0)
