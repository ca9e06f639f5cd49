"""The user behind a request, as admission, reviews and access checks see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

READERS = "system:hearth:readers"
"""Whoever is in this group may look at objects and logs, Secrets left out, and change nothing."""


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

    def headers(self) -> Iterator[tuple[str, str]]:
        """The header fields by which another API server is told who asks."""
        yield "X-Remote-User", self.name
        if self.uid:
            yield "X-Remote-Uid", self.uid
        for group in self.groups:
            yield "X-Remote-Group", group
        for key, values in self.extra.items():
            for value in values:
                yield f"X-Remote-Extra-{quote(key.lower(), safe='')}", value

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
