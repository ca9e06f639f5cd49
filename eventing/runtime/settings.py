"""What a process of the data plane reads from the ConfigMaps of ``knative-eventing``. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from eventing.api.keys import (
    AUTHORIZATION_FLAG,
    DEFAULT_DISCOVERY,
    DISCOVERY_FLAG,
    ENCRYPTION_FLAG,
    EVENT_DISK_FLAG,
    EVENT_RATE_FLAG,
    JOURNEYS_FLAG,
    OBSERVABILITY,
    OIDC_FLAG,
)
from eventing.api.settings import Observability
from eventing.runtime.diskquota import read_most
from hearth.knative.settings import from_config_map


@dataclass(frozen=True, slots=True)
class Flags:
    """What counts here of config-features."""

    journeys: bool = True
    """Whether it is kept what becomes of events."""
    authenticates: bool = False
    """Whether producers must say who they are."""
    authorization: str = "allow-same-namespace"
    """Who may send where no EventPolicy says so."""
    encryption: str = "disabled"
    """Whether addresses have https: permissive (that too) or strict (no other)."""
    discovery_url: str = ""
    """Where the issuer of tokens tells of itself; empty for the API server, asked as always."""
    event_rate: float = 0.0
    """How many events a second each namespace may send; 0 for no limit."""
    event_disk: int = 0
    """How many bytes each namespace's events may take on disk; 0 for no limit."""

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> Flags:
        """Read the flags, in any case as Knative does."""
        given = {name: value.strip().lower() for name, value in data.items()}
        return cls(
            given.get(JOURNEYS_FLAG, "") != "disabled",
            given.get(OIDC_FLAG, "") == "enabled",
            given.get(AUTHORIZATION_FLAG) or cls().authorization,
            given.get(ENCRYPTION_FLAG) or cls().encryption,
            _issuer(data.get(DISCOVERY_FLAG, "").strip()),
            _rate(given.get(EVENT_RATE_FLAG) or "0"),
            _disk(data.get(EVENT_DISK_FLAG, "").strip() or "0"),
        )


def _issuer(url: str) -> str:
    return "" if url.rstrip("/") == DEFAULT_DISCOVERY else url


def _disk(text: str) -> int:
    try:
        return read_most(text)
    except ValueError as error:
        raise ValueError(f"{EVENT_DISK_FLAG}: {error}") from error


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 <= rate < math.inf:
        raise ValueError(f"{EVENT_RATE_FLAG}: {text!r} is no number of events a second")
    return rate


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """Settings that count at once."""

    flags: Flags = from_config_map("config-features", Flags.from_data)
    observability: Observability = from_config_map(OBSERVABILITY, Observability.from_data)

    @property
    def journeys(self) -> bool:
        """Whether it is kept what becomes of events."""
        return self.flags.journeys
