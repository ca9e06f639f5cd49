"""Images for containers, in an engine or in Hearth's own store: ``hearth image``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hearth.oci.references import Reference


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """One name of an image; ``size`` in bytes, ``used_at`` 0 where nobody knows."""

    name: str
    digest: str
    size: int
    used_at: float = 0.0


Told = Callable[[str, str], None]
"""Hears how it is with a piece of an image."""


class Place(Protocol):
    """Where images for containers are kept; what goes wrong is a UserError."""

    async def images(self) -> list[ContainerImage]:
        """All that are there."""

    async def pull(self, reference: Reference) -> None:
        """Gets an image as its registry has it now."""

    async def push(self, reference: Reference, to: Reference, told: Told) -> str:
        """Puts an image into a registry under the second name; returns its digest there."""

    async def load(self, archive: Path, name: Reference | None) -> list[str]:
        """Takes the images of an archive, under ``name`` or their own; returns their names."""

    async def remove(self, reference: Reference) -> bool:
        """Forgets a name; returns whether it was known."""

    async def prune(self, in_use: Collection[Reference]) -> int:
        """Removes what no name in use stands for; returns how many images went."""
