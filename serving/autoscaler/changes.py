"""What became of a revision's scale lately, and by which rule: the last changes of each. Pure.

Said by ``hearth scale explain``. Kept in memory only, and of no more than a few changes each.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import orjson

from hearth.knative.explanation import Explanation, Json
from hearth.kube.encoding import kept_json
from hearth.kube.meta import Key, shared

MOST = 20


@dataclass(frozen=True, slots=True)
class ScaleChange:
    """Pods were asked for, or asked for no more."""

    at: float
    """Unix seconds."""
    before: int
    pods: int
    rule: str
    """The last rule that made the number what it is; empty where the autoscaler wanted another."""
    why: str
    sees: Json
    cause: str = ""
    """What it was looked at for, where that was not just the time."""

    def json(self) -> Json:
        """Return it as the command prints it."""
        at = datetime.datetime.fromtimestamp(self.at, datetime.UTC)
        return {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "from": self.before,
            "to": self.pods,
            "decidedBy": self.rule,
            "why": self.why,
            "cause": self.cause,
            **({"sees": self.sees} if self.sees else {}),
        }


def change_of(
    at: float, before: int, pods: int, explanation: Explanation, cause: str
) -> ScaleChange:
    """Return a change with what the autoscaler says of its number at that moment."""
    sees = {
        name: explanation.facts["sees"][name]
        for name in ("readyPods", "stable", "panic", "waiting")
        if "sees" in explanation.facts
    }
    if explanation.wish != pods:
        why = f"the autoscaler wants {explanation.wish}" if explanation.wish >= 0 else ""
        return ScaleChange(at, before, pods, "", why, sees, cause)
    deciding = [step for step in explanation.steps if step.decides]
    rule, why = (deciding[-1].rule, deciding[-1].text) if deciding else ("", "")
    return ScaleChange(at, before, pods, rule, why, sees, cause)


class ScaleChanges:
    """The last changes of every revision, as JSON: many are kept, and few are asked for."""

    def __init__(self) -> None:
        self._changes: dict[Key, list[bytes]] = {}

    def note(self, key: Key, change: ScaleChange) -> None:
        """Keep a change; the oldest gives way."""
        changes = self._changes.setdefault(shared(key), [])
        changes.append(kept_json(change.json()))
        del changes[:-MOST]

    def of(self, key: Key) -> list[Json]:
        """Return the changes of a revision, the newest first."""
        return [orjson.loads(change) for change in reversed(self._changes.get(key, ()))]

    def forget(self, key: Key) -> None:
        """A revision is gone."""
        self._changes.pop(key, None)
