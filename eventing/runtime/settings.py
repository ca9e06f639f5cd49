"""What a process of the data plane reads from the ConfigMaps of ``knative-eventing``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eventing.api.keys import JOURNEYS_FLAG
from hearth.knative.settings import from_config_map


def _journeys(data: Mapping[str, str]) -> bool:
    return data.get(JOURNEYS_FLAG, "").strip().lower() != "disabled"


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """Settings that count at once."""

    journeys: bool = from_config_map("config-features", _journeys)
    """Whether it is kept what becomes of events."""
