from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.pod.spec import Handler, Probe
from hearth.cluster.node.probes.schedule import Progress, answered, first_at, next_at

TCP = Handler("tcpSocket", port=8080)
DEFAULT = Probe(TCP)


def play(probe: Probe, answers: list[tuple[float, bool]], *, eager: bool = False) -> Progress:
    progress = Progress(counted_at=0.0 if eager else float("-inf"))
    for at, is_success in answers:
        progress = answered(probe, progress, is_success, now=at, eager=eager)
    return progress


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        ([(0, True)], True),
        ([(0, False)], None),
        ([(0, False), (10, False)], None),
        ([(0, False), (10, False), (20, False)], False),
        ([(0, True), (10, False), (20, False)], True),
        ([(0, True), (10, False), (20, False), (30, False)], False),
        ([(0, False), (10, False), (20, True), (30, False)], True),
    ],
)
def test_thresholds(answers: list[tuple[float, bool]], result: bool | None) -> None:
    assert play(DEFAULT, answers).result is result


def test_a_success_threshold_above_one() -> None:
    probe = Probe(TCP, success_threshold=2)
    assert play(probe, [(0, True)]).result is None
    assert play(probe, [(0, True), (10, True)]).result is True


def test_eager_misses_count_once_a_period() -> None:
    many = [(n * 0.02, False) for n in range(1000)]  # twenty seconds
    progress = play(Probe(TCP, period=5), many, eager=True)
    assert progress.failures == 3
    assert progress.result is False


def test_an_eager_miss_that_does_not_count_is_no_event() -> None:
    assert not play(DEFAULT, [(0.02, False)], eager=True).is_counted
    assert play(DEFAULT, [(10.0, False)], eager=True).is_counted


@pytest.mark.parametrize(
    ("age", "wait"),
    [(0.0, 0.02), (0.9, 0.02), (1.0, 0.05), (9.9, 0.05), (10.0, 10.0)],
)
def test_an_eager_probe_slows_down(age: float, wait: float) -> None:
    at = next_at(DEFAULT, Progress(), started_at=0.0, now=age, eager=True)
    assert at == pytest.approx(age + wait)


def test_after_its_first_success_it_follows_the_period() -> None:
    progress = play(DEFAULT, [(0.1, True)], eager=True)
    assert next_at(DEFAULT, progress, started_at=0.0, now=0.1, eager=True) == pytest.approx(10.1)


def test_an_initial_delay_is_kept() -> None:
    assert first_at(Probe(TCP, initial_delay=7), 100.0) == 107.0


@given(st.lists(st.booleans(), max_size=40))
def test_the_result_follows_the_last_run_of_equal_answers(answers: list[bool]) -> None:
    """Three misses in a row make it False, one success makes it True, and nothing else does."""
    expected: bool | None = None
    for index in range(1, len(answers) + 1):
        if answers[index - 1]:
            expected = True
        elif answers[max(0, index - 3) : index] == [False] * 3:
            expected = False
    assert play(DEFAULT, [(n * 10.0, a) for n, a in enumerate(answers)]).result is expected


@pytest.mark.parametrize(("crowd", "after"), [(1, 0.02), (10, 0.02), (200, 0.4), (10_000, 10.0)])
def test_many_that_start_at_once_are_asked_less_often(crowd: int, after: float) -> None:
    at = next_at(DEFAULT, Progress(), started_at=0.0, now=0.0, eager=True, crowd=crowd)
    assert at == pytest.approx(after)
