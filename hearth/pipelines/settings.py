"""How the component is set up, as far as decisions go by it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What pods are made with."""

    url: str
    """Where workers reach the component."""
    image: str = "hearth"
    """Hearth's own, which scripts run in unless a pipeline names another."""
    python: str = "python3"
    """Its interpreter."""
    in_cluster: bool = True
    """Whether files have to be mounted: on one machine a process of Hearth's own image is told
    where they are, since a mount takes longer than all else of a small job."""
