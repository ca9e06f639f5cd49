"""Which writes can wait: those that nobody acts on give way to what makes pods. Pure.

Counts that will change again in a moment are written once, a little later. News is written at once:
a pod more is ready, one is missing that should be there, the last one is gone, a condition changed.
"""

from __future__ import annotations

from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object
from hearth.kube.views import Workload

DELAY_SECONDS = 0.5
"""A pod starts and ends in less where it is a process of this machine."""


def is_without_news(stored: Object, changed: Object) -> bool:
    """Whether nobody waits for what a new status says."""
    before, after = Workload(stored), Workload(changed)
    counts = (
        (before.ready_replicas, after.ready_replicas),
        (before.available_replicas, after.available_replicas),
    )
    return not (
        any(new > old or new < min(old, after.replicas) for old, new in counts)
        or (_has_pods(before) and not _has_pods(after))
        or _says_otherwise(stored, changed)
    )


def _has_pods(view: Workload) -> bool:
    return bool(view.current_replicas or view.terminating_replicas)


def _says_otherwise(stored: Object, changed: Object) -> bool:
    """Whether conditions changed that had been told."""
    before, after = Conditions.of(stored).by_type(), Conditions.of(changed)
    return any(after.status(kind) != told["status"] for kind, told in before.items())
