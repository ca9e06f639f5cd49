"""What any autoscaler can tell of what it scales: rules, each with a number. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One rule: what the number of pods is after it, and why."""

    rule: str
    pods: int
    text: str
    decides: bool = False
    """Whether the number came about by this rule."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an autoscaler says of one thing that it scales."""

    namespace: str
    name: str
    scaled_by: str
    """The class of the PodAutoscaler, or what else scales it."""
    wish: int
    """The pods there should be; -1 while there is nothing to decide on."""
    steps: tuple[Step, ...] = ()
    looks_again: str = ""
    facts: Json = field(default_factory=dict)
    """All that went in, by what it is called in annotations, settings and metrics."""

    @property
    def decided_by(self) -> str:
        """The last rule that made the number what it is."""
        return next((step.rule for step in reversed(self.steps) if step.decides), "")

    def json(self) -> Json:
        """Return it as the command prints it."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "scaledBy": self.scaled_by,
            "wish": self.wish,
            "decidedBy": self.decided_by,
            "steps": [asdict(step) for step in self.steps],
            "looksAgain": self.looks_again,
            **self.facts,
        }
