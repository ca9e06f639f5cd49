"""Settings from ConfigMaps: declared once, live, the last good value kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from hearth.knative.settings import LiveSettings, from_config_map, parsers


@dataclass(frozen=True, slots=True)
class Limits:
    most: int = 10

    @classmethod
    def from_data(cls, data: Mapping[str, str]) -> Limits:
        if data.get("most") == "boom":
            raise RecursionError
        return cls(int(data.get("most", "10")))


def words(data: Mapping[str, str]) -> frozenset[str]:
    return frozenset(data)


@dataclass(frozen=True, slots=True)
class Settings:
    limits: Limits = from_config_map("config-limits", Limits.from_data)
    words: frozenset[str] = from_config_map("config-words", words)
    port: int = 80


def test_absent_config_maps_mean_the_defaults() -> None:
    assert Settings() == Settings(Limits(10), frozenset(), 80)


def test_parsers_go_by_the_name_of_the_config_map() -> None:
    assert parsers(Settings) == {"config-limits": Limits.from_data, "config-words": words}


def test_a_change_replaces_the_value_and_tells_once() -> None:
    live = LiveSettings(Settings(port=8080))
    told: list[Settings] = []
    live.on_change(told.append)
    live.offer("config-limits", {"most": "5"})
    live.offer("config-limits", {"most": "5"})
    assert live.value == Settings(Limits(5), port=8080)
    assert told == [live.value]


@pytest.mark.parametrize("bad", ["five", "boom"])
def test_the_last_good_value_stays(bad: str, caplog: pytest.LogCaptureFixture) -> None:
    live = LiveSettings(Settings())
    live.offer("config-limits", {"most": "5"})
    live.offer("config-limits", {"most": bad})
    assert live.value.limits == Limits(5)
    assert "config map ignored" in caplog.text


def test_a_deleted_config_map_means_the_defaults() -> None:
    live = LiveSettings(Settings())
    live.offer("config-limits", {"most": "5"})
    live.offer("config-limits", {})
    assert live.value == Settings()


def test_examples_and_other_config_maps_are_no_settings() -> None:
    live = LiveSettings(Settings())
    live.offer("config-words", {"_example": "", "word": ""})
    live.offer("config-other", {"most": "5"})
    assert live.value == Settings(words=frozenset({"word"}))
