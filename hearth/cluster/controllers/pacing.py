"""Which statuses can wait: those in which only counts change give way to what makes pods. Pure.

Counts that will change again in a moment are written once, a little later; news that others wait
for (a pod became ready or ceased to be) is written at once.
"""

from __future__ import annotations

from hearth.kube.meta import Object

_NEWS = ("readyReplicas", "availableReplicas")


def is_without_news(stored: Object, changed: Object) -> bool:
    """Whether nobody waits for what a new status says."""
    before, after = stored.get("status") or {}, changed["status"]
    return all(after.get(field) == before.get(field) for field in _NEWS)
