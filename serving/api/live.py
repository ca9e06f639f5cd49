"""Scaling that is changed without a new revision: annotations of a Service itself. Pure.

``autoscaling.hearth.dev/min-scale`` and its like take the place of what a template says in
``autoscaling.knative.dev/min-scale``, with the same bounds: for the revisions that requests may
reach, and from their start for new ones. Where only one of floor and ceiling is given, no floor
is above a ceiling. Taken away, what the template says holds again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from serving.api import annotations as numbers
from serving.api import keys
from serving.api.annotations import stored
from serving.api.keys import Aliases

_READERS: dict[Aliases, Callable[[str], Any]] = {
    keys.MIN_SCALE: numbers.READ_SCALE,
    keys.MAX_SCALE: numbers.READ_SCALE,
    keys.TARGET: numbers.READ_TARGET,
    keys.TARGET_UTILIZATION: numbers.READ_TARGET_UTILIZATION,
    keys.WINDOW: numbers.READ_WINDOW,
    keys.SCALE_DOWN_DELAY: numbers.READ_PERIOD,
    keys.POD_RETENTION_PERIOD: numbers.READ_PERIOD,
    keys.ACTIVATION_SCALE: numbers.READ_ACTIVATION_SCALE,
}
LIVE = {
    each.key.replace(keys.AUTOSCALING_GROUP, keys.OWN_AUTOSCALING_GROUP): each for each in _READERS
}
"""Knative's annotation by the one of ours that takes its place."""


def asked(service: Mapping[str, str]) -> dict[str, str]:
    """Return what a Service's annotations say, by Knative's names."""
    return {LIVE[key].key: text for key, text in service.items() if key in LIVE}


def overlaid(own: Mapping[str, str], service: Mapping[str, str]) -> dict[str, str]:
    """Return a revision's annotations with those of its Service in their place.

    One that cannot be read counts as absent, as it does on a revision.
    """
    given = asked(service)
    readable = {
        known.key: given[known.key]
        for known, read in _READERS.items()
        if stored(given, known, read, default=None) is not None
    }
    merged = {**own, **readable}
    if readable.keys() & {keys.MIN_SCALE.key, keys.MAX_SCALE.key}:
        low, high = (
            stored(merged, each, numbers.READ_SCALE, default=0)
            for each in (keys.MIN_SCALE, keys.MAX_SCALE)
        )
        if 0 < high < low:
            merged[keys.MIN_SCALE.key] = str(high)
    return merged
