"""What a container is given so that it finds the cluster. Pure.

A runtime that gives pods a network of their own lays the files over ``/etc/hosts`` and
``/etc/resolv.conf``; ``names.way`` says what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PodDns:
    """Files of the pod's folder, None where the runtime's own are meant; and a base environment.

    ``inside`` are URLs of the machine's loopback address, and what they are called in the cluster.
    """

    hosts: Path | None = None
    resolv_conf: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)

    def translate(self, env: Mapping[str, str]) -> dict[str, str]:
        """A finished environment, in which URLs of the machine are such as a container can use."""
        return {name: self._translated(value) for name, value in env.items()}

    def _translated(self, value: str) -> str:
        for outside, inside in self.inside.items():
            rest = value.removeprefix(outside)
            if rest != value and rest[:1] in ("", "/", "?"):
                return inside + rest
        return value
