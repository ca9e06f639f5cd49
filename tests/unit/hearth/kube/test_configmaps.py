from __future__ import annotations

from collections.abc import Mapping

import pytest

from hearth.kube.configmaps import Live


def a_number(data: Mapping[str, str]) -> int:
    return int(data.get("n", "1"))


def test_the_last_good_value_stays(caplog: pytest.LogCaptureFixture) -> None:
    live = Live(a_number)
    calls: list[int] = []
    live.on_change(lambda: calls.append(live.value))
    live.offer({"n": "5"}, source="ns/map")
    live.offer({"n": "five"}, source="ns/map")
    live.offer({"n": "5"}, source="ns/map")
    assert (live.value, calls) == (5, [5])
    assert "config map ignored" in caplog.text


def test_defaults_come_from_an_empty_map() -> None:
    assert Live(a_number).value == 1
