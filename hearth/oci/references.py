"""Names of images, by Docker's rules. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DEFAULT_DOMAIN = "docker.io"
_DEFAULT_REGISTRY = "registry-1.docker.io"
_REFERENCE = re.compile(
    r"^(?P<name>[a-zA-Z0-9][a-zA-Z0-9._-]*(?::[0-9]+(?=/))?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)


class InvalidImageName(ValueError):
    """The text is no image reference."""


@dataclass(frozen=True, slots=True)
class Reference:
    """``docker.io/library/x``, tag and digest; the tag is empty when only a digest is given."""

    repository: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")

    @property
    def domain(self) -> str:
        """The registry as the name says it: ``docker.io``, ``localhost:5000``."""
        return self.repository.partition("/")[0]

    @property
    def path(self) -> str:
        """The repository within its registry."""
        return self.repository.partition("/")[2]

    @property
    def host(self) -> str:
        """Where the registry answers."""
        return _DEFAULT_REGISTRY if self.domain == _DEFAULT_DOMAIN else self.domain

    @property
    def version(self) -> str:
        """What names the manifest within the repository: the digest, or else the tag."""
        return self.digest or self.tag


def parse_reference(image: str) -> Reference:
    """The full form of an image name, by Docker's rules; raises InvalidImageName."""
    match = _REFERENCE.match(image)
    if match is None or image.endswith("\n"):
        raise InvalidImageName(f'couldn\'t parse image name "{image}": invalid reference format')
    domain, slash, rest = match["name"].partition("/")
    if not slash or not ("." in domain or ":" in domain or domain == "localhost"):
        domain, rest = _DEFAULT_DOMAIN, match["name"]
    if domain in (_DEFAULT_DOMAIN, "index.docker.io"):
        domain = _DEFAULT_DOMAIN
        rest = rest if "/" in rest else f"library/{rest}"
    if rest != rest.lower():
        raise InvalidImageName(
            f'couldn\'t parse image name "{image}": repository name must be lowercase'
        )
    tag = match["tag"] or ("" if match["digest"] else "latest")
    return Reference(f"{domain}/{rest}", tag, match["digest"] or "")
