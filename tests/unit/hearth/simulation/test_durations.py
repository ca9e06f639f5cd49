from __future__ import annotations

from random import Random
from statistics import mean, median

import pytest

from hearth.simulation.durations import parse_durations


@pytest.mark.parametrize(
    ("text", "average"),
    [
        ("120ms", 0.12),
        ("fixed:2s", 2.0),
        ("exponential:1m30s", 90.0),
        ("uniform:50ms,150ms", 0.1),
        ("lognormal:100ms,900ms", 0.156),
    ],
)
def test_draws_have_the_mean_that_is_said(text: str, average: float) -> None:
    durations = parse_durations(text)
    assert str(durations) == text
    assert durations.mean == pytest.approx(average, rel=0.01)
    random = Random(1)
    drawn = [durations.draw(random) for _ in range(20_000)]
    assert mean(drawn) == pytest.approx(average, rel=0.05)
    assert min(drawn) >= 0


def test_a_lognormal_has_its_percentiles() -> None:
    random, durations = Random(2), parse_durations("lognormal:100ms,900ms")
    drawn = sorted(durations.draw(random) for _ in range(20_000))
    assert median(drawn) == pytest.approx(0.1, rel=0.05)
    assert drawn[19_800] == pytest.approx(0.9, rel=0.1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "120",
        "0s",
        "-1s",
        "uniform:1s",
        "gamma:1s,2s",
        "exponential:",
        "lognormal:0s,1s",
    ],
)
def test_what_is_no_duration_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is 120ms, exponential:120ms"):
        parse_durations(text)
