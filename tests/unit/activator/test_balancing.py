"""Policies: who takes the next request."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activator.balancing import first_available, make_policy, power_of_two_choices, round_robin
from activator.pods import Pod


def pods(*loads: int) -> list[Pod]:
    made = [Pod(("10.0.0.1", port)) for port in range(len(loads))]
    for pod, load in zip(made, loads, strict=True):
        pod.in_flight = load
    return made


def test_first_available_fills_the_first_pod_first() -> None:
    given_pods = pods(1, 0, 0)
    assert first_available(given_pods, 1) is given_pods[1]
    assert first_available(pods(1, 1), 1) is None
    assert first_available([], 1) is None


def test_round_robin_goes_round_and_passes_full_pods_over() -> None:
    choose, given_pods = round_robin(), pods(0, 5, 0)
    assert [choose(given_pods, 5) for _ in range(4)] == [
        given_pods[0],
        given_pods[2],
        given_pods[0],
        given_pods[2],
    ]
    assert choose(pods(5, 5), 5) is None
    assert choose([], 5) is None


def test_of_two_choices_the_less_busy_is_taken() -> None:
    given_pods = pods(9, 0)
    choose = power_of_two_choices(random.Random(1).random)
    assert all(choose(given_pods, 0) is given_pods[1] for _ in range(20))


def test_two_choices_spread_evenly() -> None:
    given_pods = pods(*[0] * 10)
    choose = power_of_two_choices(random.Random(1).random)
    for _ in range(1000):
        pod = choose(given_pods, 0)
        assert pod is not None
        pod.in_flight += 1
    assert max(pod.in_flight for pod in given_pods) - min(p.in_flight for p in given_pods) <= 5


@pytest.mark.parametrize(
    ("concurrency", "seen"),
    [(1, {0: 3}), (3, {0: 3}), (4, {0: 1, 1: 1, 2: 1})],
)
def test_the_policy_follows_the_concurrency(concurrency: int, seen: dict[int, int]) -> None:
    policy, given_pods = make_policy(concurrency, random.random), pods(0, 0, 0)
    chosen = Counter(pod.address[1] for _ in range(3) if (pod := policy(given_pods, 4)) is not None)
    assert chosen == seen


@given(
    loads=st.lists(st.integers(0, 4), max_size=6),
    limit=st.integers(0, 4),
    concurrency=st.sampled_from([0, 1, 10]),
    seed=st.integers(0, 5),
)
def test_a_pod_is_found_whenever_there_is_room(
    loads: list[int], limit: int, concurrency: int, seed: int
) -> None:
    given_pods = pods(*loads)
    chosen = make_policy(concurrency, random.Random(seed).random)(given_pods, limit)
    has_room = [pod for pod in given_pods if not limit or pod.in_flight < limit]
    assert (chosen in has_room) if has_room else (chosen is None)
