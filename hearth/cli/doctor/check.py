"""One finding of ``hearth doctor``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do where that is not well.

    ``fail`` keeps Hearth from working, ``warn`` keeps some of it from working.
    """

    name: str
    state: State
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name, "ok", found)


def warn(name: str, found: str, advice: str) -> Check:
    """Something does not work, or soon will not."""
    return Check(name, "warn", found, advice)


def fail(name: str, found: str, advice: str) -> Check:
    """Hearth does not work so."""
    return Check(name, "fail", found, advice)
