"""Rounds of bounded pieces: shares by weight, nobody forgotten, groups as one."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.fairness import Ring, Rounds

QUANTUM = 10.0
WEIGHTS = st.lists(st.integers(1, 10), min_size=1, max_size=6)
COSTS = st.lists(st.floats(0.5, 100), min_size=1, max_size=20)


def serve(ring, costs, total):
    """Everybody always wants more; return what each got."""
    got: dict[int, float] = {}
    spent = 0.0
    while spent < total:
        item, credit = ring.turn()
        piece = 0.0
        while piece < credit:
            piece += next(costs)
        ring.spend(item, piece)
        got[item] = got.get(item, 0.0) + piece
        spent += piece
    return got


@given(WEIGHTS, COSTS)
def test_each_gets_its_share_by_weight_whatever_things_cost(weights, costs):
    ring: Ring[int] = Ring(QUANTUM)
    for item, weight in enumerate(weights):
        ring.enter(item, weight)
    rounds = 100
    got = serve(ring, itertools.cycle(costs), rounds * QUANTUM * sum(weights))
    for item, weight in enumerate(weights):
        fair = rounds * QUANTUM * weight
        slack = 2 * (QUANTUM * weight + max(costs)) + max(costs) * len(weights) / weight
        assert abs(got.get(item, 0.0) - fair) <= slack + QUANTUM * sum(weights)


@given(WEIGHTS, COSTS)
def test_nobody_waits_longer_than_a_round(weights, costs):
    """Between two pieces of one, others get no more than their quanta and one thing each."""
    ring: Ring[int] = Ring(QUANTUM)
    for item, weight in enumerate(weights):
        ring.enter(item, weight)
    endless, waited = itertools.cycle(costs), dict.fromkeys(range(len(weights)), 0.0)
    for _ in range(200):
        item, credit = ring.turn()
        piece = 0.0
        while piece < credit:
            piece += next(endless)
        ring.spend(item, piece)
        for other in waited:
            waited[other] = 0.0 if other == item else waited[other] + piece
        longest = max(costs) / QUANTUM + 1  # rounds until the largest debt is paid
        most = longest * sum(weight * QUANTUM + max(costs) for weight in weights)
        assert all(each <= most for each in waited.values())


class Model:
    """Who wants something, in any order of calls."""

    def __init__(self):
        self.ring: Ring[int] = Ring(QUANTUM)
        self.wants = set()


STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "leave", "forget", "turn"]), st.integers(0, 4))
)


@given(STEPS)
def test_only_those_have_turns_that_want_something(steps):
    model = Model()
    for what, item in steps:
        if what == "enter":
            model.ring.enter(item, item + 1)
            model.wants.add(item)
        elif what == "turn" and model.ring:
            found, credit = model.ring.turn()
            assert found in model.wants and credit > 0
            model.ring.spend(found, credit + item)
        elif what in ("leave", "forget"):
            getattr(model.ring, what)(item)
            model.wants.discard(item)
        assert bool(model.ring) == bool(model.wants)
        assert all((each in model.ring) == (each in model.wants) for each in range(5))


def test_credit_is_not_saved_up_and_debts_are_not_escaped():
    ring: Ring[str] = Ring(QUANTUM)
    ring.enter("a")
    assert ring.turn() == ("a", 10)
    ring.leave("a")
    ring.enter("a")
    assert ring.turn() == ("a", 10)
    ring.spend("a", 35)
    ring.leave("a")
    ring.enter("a")
    ring.enter("b")
    assert ring.turn() == ("b", 10)
    ring.spend("b", 10)
    assert ring.turn()[0] == "b"  # a: 35 - 10 - 10 to go


def test_a_debt_is_forgotten_with_its_owner():
    ring: Ring[str] = Ring(QUANTUM)
    ring.enter("a")
    ring.turn()
    ring.spend("a", 1000)
    ring.forget("a")
    ring.enter("a")
    assert ring.turn() == ("a", 10)


@given(st.integers(1, 20), st.integers(1, 20))
def test_no_group_gets_more_by_having_more_members(many, few):
    rounds: Rounds[str] = Rounds(QUANTUM)
    for number in range(many):
        rounds.enter("many", f"m{number}")
    for number in range(few):
        rounds.enter("few", f"f{number}")
    got = {"many": 0.0, "few": 0.0}
    for _ in range(2000):
        group, item, credit = rounds.turn()
        cost = min(credit, 3.0)
        rounds.spend(group, item, cost)
        got[str(group)] += cost
    assert got["many"] == pytest.approx(got["few"], abs=2 * QUANTUM)


def test_members_share_what_their_group_gets_by_weight():
    rounds: Rounds[str] = Rounds(QUANTUM)
    rounds.enter("g", "heavy", 3)
    rounds.enter("g", "light", 1)
    rounds.enter("h", "other", 1)
    got = dict.fromkeys(("heavy", "light", "other"), 0.0)
    for _ in range(4000):
        group, item, credit = rounds.turn()
        cost = min(credit, 2.0)
        rounds.spend(group, item, cost)
        got[item] += cost
    assert got["heavy"] == pytest.approx(3 * got["light"], rel=0.05)
    assert got["other"] == pytest.approx(got["heavy"] + got["light"], rel=0.05)


def test_a_group_is_gone_when_its_last_member_is():
    rounds: Rounds[str] = Rounds(QUANTUM)
    rounds.enter("g", "a")
    rounds.enter("g", "b")
    rounds.leave("g", "a")
    assert rounds.turn()[1] == "b"
    rounds.leave("g", "b")
    assert not rounds
    rounds.enter("g", "a")
    rounds.forget("g", "a")
    rounds.forget("g", "b")
    rounds.leave("h", "nobody")
    assert not rounds
