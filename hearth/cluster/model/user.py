"""The user behind a request, as admission, reviews and access checks see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def is_anonymous(self) -> bool:
        """Whether the request came without a token."""
        return self.name == "system:anonymous"

    def info(self) -> dict[str, Any]:
        """The user as reviews and admission requests carry it."""
        info: dict[str, Any] = {"username": self.name}
        if self.uid:
            info["uid"] = self.uid
        if self.groups:
            info["groups"] = list(self.groups)
        if self.extra:
            info["extra"] = dict(self.extra)
        return info


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))
