from __future__ import annotations

import numpy as np
import pytest

from hearth.simulation.patterns import PATTERNS, SHAPES, Drawn, chance_of, traces_of

DAY = 86_400


@pytest.mark.parametrize("shape", SHAPES)
def test_single_requests_and_seconds_are_drawn_at_the_same_rate(shape: str) -> None:
    trace = Drawn("x", shape, 20.0, 1200)
    moments, counts = trace.moments(chance_of(1, "x")), trace.per_second(chance_of(2, "x"))
    assert len(moments) == pytest.approx(counts.sum(), rel=0.1, abs=60)
    assert counts.sum() == pytest.approx(trace.expected, rel=0.2, abs=100)
    assert moments == sorted(moments)
    assert all(0 <= moment < 1200 for moment in (*moments[:1], *moments[-1:]))


def test_the_shapes_are_what_they_are_called() -> None:
    def counted(shape: str, seconds: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return Drawn("x", shape, 100.0, seconds).per_second(chance_of(1, "x"))

    spike = counted("spike", 600)
    assert spike[300:310].mean() > 15 * spike[:290].mean()
    step = counted("step", 600)
    assert step[210:390].mean() > 8 * step[:190].mean()
    day = counted("diurnal", DAY)
    assert day[DAY // 2 - 600 : DAY // 2 + 600].mean() > 50 * day[:600].mean() + 1
    week = counted("workdays", 7 * DAY).reshape(7, 24, 3600).sum(axis=2)
    assert (week[:5, 8:18] > 0).all()
    assert week.sum() == week[:5, 8:18].sum()
    bursts = counted("bursts", 600)
    assert bursts[10:300].sum() == 0 < bursts[300:310].sum()


def test_the_same_seed_is_the_same_chance() -> None:
    trace = Drawn("x", "constant", 1.0, 100)
    assert trace.moments(chance_of(1, "x")) == trace.moments(chance_of(1, "x"))
    assert trace.moments(chance_of(1, "x")) != trace.moments(chance_of(2, "x"))


def test_a_fleet_is_mostly_asleep() -> None:
    fleet = traces_of("fleet", rate=0, seconds=DAY, services=4000, seed=1)
    expected = np.array([trace.expected for trace in fleet])
    assert (expected <= 24.5).mean() == pytest.approx(0.45, abs=0.03)
    assert (expected <= 1445).mean() == pytest.approx(0.81, abs=0.03)
    assert expected[expected > 1440].sum() / expected.sum() > 0.99
    assert len({trace.name for trace in fleet}) == 4000
    timer = next(trace for trace in fleet if trace.name.startswith("timer") and trace.expected > 99)
    gaps = np.diff(timer.moments(chance_of(1, "x")))
    assert gaps.max() - gaps.min() < 1e-6


def test_several_services_of_one_pattern() -> None:
    assert set(PATTERNS) == {*SHAPES, "fleet"}
    found = traces_of("step", rate=3, seconds=60, services=2, seed=0)
    assert [trace.name for trace in found] == ["step-0", "step-1"]
