"""Knative's condition sets: a happy condition derived from the conditions it depends on.

Behaviour of ``knative.dev/pkg/apis``: conditions are sorted by type; a condition outside the set
is only informative (severity Info); lastTransitionTime moves when anything of it changes.
Pure: the time comes in, a list of plain conditions goes in and out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hearth.kube.clock import rfc3339
from hearth.kube.conditions import Condition


@dataclass(frozen=True, slots=True)
class ConditionSet:
    """``happy`` (Ready or Succeeded) is true when all ``dependents`` are."""

    happy: str
    dependents: tuple[str, ...] = ()

    def manage(self, conditions: Iterable[Condition] | None, *, now: float) -> ConditionManager:
        """Start working out the conditions of a status; ``now`` is in Unix seconds."""
        return ConditionManager(self, conditions or (), now=now)


class ConditionManager:
    """The conditions of one status while it is being worked out; ``list()`` is the outcome."""

    def __init__(self, kinds: ConditionSet, given: Iterable[Condition], *, now: float) -> None:
        self._set = kinds
        self._now = rfc3339(now)
        self._by_type: dict[str, Condition] = {c["type"]: dict(c) for c in given}
        self._touched: dict[str, int] = {}  # order of changes within one moment

    def list(self) -> list[Condition]:
        """Return the outcome, sorted by type."""
        return [self._by_type[kind] for kind in sorted(self._by_type)]

    def get(self, kind: str) -> Condition | None:
        """Return the condition of this type."""
        return self._by_type.get(kind)

    def status(self, kind: str) -> str:
        """True, False or Unknown; Unknown where there is no such condition."""
        condition = self._by_type.get(kind)
        return str(condition["status"]) if condition else "Unknown"

    def is_true(self, kind: str) -> bool:
        """Whether the condition is True."""
        return self.status(kind) == "True"

    def is_false(self, kind: str) -> bool:
        """Whether the condition is False."""
        return self.status(kind) == "False"

    def is_happy(self) -> bool:
        """Whether the condition that sums up the set is True."""
        return self.is_true(self._set.happy)

    def initialize(self) -> None:
        """Conditions of the set that are not there yet become Unknown (True when happy is)."""
        if self._set.happy not in self._by_type:
            self._set_condition(self._set.happy, "Unknown")
        status = "True" if self.is_happy() else "Unknown"
        for kind in self._set.dependents:
            if kind not in self._by_type:
                self._set_condition(kind, status)

    def mark_true(self, kind: str, reason: str = "", message: str = "") -> None:
        """Set a condition to True; the happy one follows when all others are."""
        self._set_condition(kind, "True", reason, message)
        self._recompute_happy(kind)

    def mark_false(self, kind: str, reason: str, message: str = "") -> None:
        """Set a condition to False, and the happy one with it when it is of the set."""
        self._set_condition(kind, "False", reason, message)
        if kind in self._set.dependents:
            self._set_condition(self._set.happy, "False", reason, message)

    def mark_unknown(self, kind: str, reason: str = "", message: str = "") -> None:
        """Set a condition to Unknown; the happy one becomes it unless another is False."""
        self._set_condition(kind, "Unknown", reason, message)
        if any(self.is_false(dependent) for dependent in self._set.dependents):
            if not self.is_false(self._set.happy):
                self._set_condition(self._set.happy, "False", reason, message)
        elif kind in self._set.dependents:
            self._set_condition(self._set.happy, "Unknown", reason, message)

    def clear(self, kind: str) -> None:
        """Removes an informative condition."""
        if kind == self._set.happy or kind in self._set.dependents:
            raise ValueError(f"{kind} belongs to the condition set and cannot be cleared")
        self._by_type.pop(kind, None)

    def propagate(self, kind: str, source: Condition | None) -> None:
        """Takes over status, reason and message of another object's condition."""
        if source is None:
            self.mark_unknown(kind)
            return
        reason, message = source.get("reason", ""), source.get("message", "")
        match source.get("status"):
            case "True":
                self.mark_true(kind, reason, message)
            case "False":
                self.mark_false(kind, reason, message)
            case _:
                self.mark_unknown(kind, reason, message)

    def _set_condition(self, kind: str, status: str, reason: str = "", message: str = "") -> None:
        new: Condition = {"type": kind, "status": status}
        if kind != self._set.happy and kind not in self._set.dependents:
            new["severity"] = "Info"
        if reason:
            new["reason"] = reason
        if message:
            new["message"] = message
        old = self._by_type.get(kind)
        if old is not None:
            new["lastTransitionTime"] = old.get("lastTransitionTime")
            if new == old:
                return
        new["lastTransitionTime"] = self._now
        self._by_type[kind] = new
        self._touched[kind] = len(self._touched)

    def _recompute_happy(self, changed: str) -> None:
        unhappy = self._unhappy_dependent()
        if unhappy is not None:
            self._set_condition(
                self._set.happy,
                unhappy["status"],
                unhappy.get("reason", ""),
                unhappy.get("message", ""),
            )
        elif changed != self._set.happy:
            self._set_condition(self._set.happy, "True")

    def _unhappy_dependent(self) -> Condition | None:
        """Return the newest False dependent, else the newest Unknown one, else a missing one."""
        present = [self._by_type[k] for k in self._set.dependents if k in self._by_type]
        present.sort(key=self._age, reverse=True)
        for status in ("False", "Unknown"):
            for condition in present:
                if condition["status"] == status:
                    return condition
        if len(present) < len(self._set.dependents):
            return {"status": "Unknown"}
        return None

    def _age(self, condition: Condition) -> tuple[str, int]:
        return condition.get("lastTransitionTime") or "", self._touched.get(condition["type"], -1)
