"""A gradual rollout that keeps to a number of pods: old ones go as the traffic leaves them. Pure.

``base`` is how many pods were needed when it began. Each older revision keeps its part of them;
the new one has what is left of ``base`` and the surge, counting pods that still end. Traffic goes
no faster than the new revision has ready pods for, so nobody waits for pods that may not come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hearth.knative.views import KIngress
from hearth.kube import meta
from hearth.kube.meta import Object, name
from serving.api import keys
from serving.api.rollouts import Surge
from serving.routing.rollout import ConfigurationRollout, Rollout, parse
from serving.routing.targets import DEFAULT

SURGE_SECONDS = 1.0
"""How often is looked whether pods have come or gone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one revision: not more than ``most`` pods, and ``least`` where traffic is to come."""

    most: int
    least: int = 0


GONE = Limits(0)
"""Of a revision that the traffic has left."""


def rollout_of(ingress: Object | None) -> Rollout:
    """Return the state that a KIngress holds."""
    return parse(meta.annotations(ingress or {}).get(keys.ROLLOUT, "")) or Rollout()


def base_of(ingress: Object | None) -> int | None:
    """Return the pods that were needed when its rollout began; None while none goes on."""
    text = meta.annotations(ingress or {}).get(keys.ROLLOUT_BASE, "")
    return int(text) if text.isdecimal() and not rollout_of(ingress).is_done else None


def limits_of(
    revision: str,
    ingress: Object | None,
    *,
    surge: Surge,
    pods: Callable[[str], int],
    made: Callable[[str], int],
) -> Limits | None:
    """Return the limits of a Service's revision; None where it is as free as ever.

    ``pods`` counts those of a revision, ending ones included; ``made`` tells which is newer.
    """
    if ingress is None:
        return None
    served = _served(ingress)
    is_new = all(made(revision) > made(each) for each in served)
    part, base = rollout_of(ingress).find(DEFAULT, name(ingress)), base_of(ingress)
    if part is not None and base is not None:
        newest, older = part.shares[-1].revision, part.shares[:-1]
        for share in older:
            if share.revision == revision:
                return Limits(max(1, -(-base * share.percent // part.percent)))
        if revision == newest or is_new:
            # One that is not ready yet comes on top of all that take part. Each further one of
            # the older may have a pod for a fraction: without room for that it would never go on.
            counted = older if revision == newest else part.shares
            room = base + surge.of(base) + len(older) - 1
            most = max(1, room - sum(pods(each.revision) for each in counted))
            return Limits(most, min(most, base) if revision == newest else 0)
    if revision in served:
        return None
    if is_new:
        return Limits(surge.of(sum(map(pods, served))))
    # Until the gateway has seen it requests may come; but no pod comes for them.
    return GONE if KIngress(ingress).is_observed else Limits(pods(revision))


def _served(ingress: Object) -> set[str]:
    return {
        split["serviceName"]
        for rule in KIngress(ingress).spec.get("rules") or ()
        for path in (rule.get("http") or {}).get("paths") or ()
        for split in path.get("splits") or ()
    }


def most_percent(part: ConfigurationRollout, *, base: int, ready: int) -> int:
    """Return the share that so many ready pods of the new revision can take.

    Rounded up to whole percents, or the old ones would keep a pod for a fraction of one.
    """
    return min(part.percent, max(1, -(-part.percent * ready // base)))
