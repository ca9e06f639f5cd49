from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.routing.rollout import (
    SECOND,
    ConfigurationRollout,
    Rollout,
    Share,
    Steps,
    observe_ready,
    parse,
    serialize,
    step,
)

NOW = 1_795_193_028 * SECOND


def rollout(*shares: tuple[str, int], steps: Steps = Steps(), tag: str = "") -> Rollout:  # noqa: B008
    total = sum(percent for _, percent in shares)
    return Rollout(
        (ConfigurationRollout("cfg", total, tuple(Share(*s) for s in shares), tag, steps),)
    )


def shares(of: Rollout) -> list[tuple[str, int]]:
    return [(share.revision, share.percent) for share in of.configurations[0].shares]


def test_without_a_previous_state_everything_goes_to_the_goal() -> None:
    goal = rollout(("new", 100))
    assert step(goal, None, now=NOW) == (goal, None)
    assert step(goal, Rollout(), now=NOW) == (goal, None)


def test_a_new_revision_begins_with_one_percent() -> None:
    begun, following = step(rollout(("new", 100)), rollout(("old", 100)), now=NOW)
    assert shares(begun) == [("old", 99), ("new", 1)]
    assert begun.configurations[0].steps == Steps(started=NOW)
    assert following is None


def test_the_first_percent_must_be_served_before_the_steps_are_known() -> None:
    begun, _ = step(rollout(("new", 100)), rollout(("old", 100)), now=NOW)
    waiting, following = step(rollout(("new", 100)), begun, now=NOW + 100 * SECOND)
    assert waiting == begun
    assert following is None


def test_steps_spread_the_rest_over_the_duration() -> None:
    begun, _ = step(rollout(("new", 100)), rollout(("old", 100)), now=NOW)
    ready = observe_ready(begun, now=NOW + SECOND // 2, duration_seconds=60)
    steps = ready.configurations[0].steps
    assert (steps.duration, steps.size) == (SECOND, 2)
    assert steps.following == NOW + SECOND // 2 + SECOND
    assert observe_ready(ready, now=NOW + 9 * SECOND, duration_seconds=60) == ready


def test_a_rollout_runs_to_its_end() -> None:
    goal, now = rollout(("new", 100)), NOW
    state, _ = step(goal, rollout(("old", 100)), now=now)
    state = observe_ready(state, now=now + SECOND, duration_seconds=10)
    seen = []
    while not state.is_done:
        state, following = step(goal, state, now=now)
        seen.append(shares(state)[-1][1])
        now = following or now
    assert seen == sorted(seen)
    assert shares(state) == [("new", 100)]
    assert state.configurations[0].steps == Steps()
    assert now - NOW <= 12 * SECOND


def test_a_third_revision_takes_its_percent_from_the_second() -> None:
    going = rollout(("one", 60), ("two", 40), steps=Steps(NOW, NOW, SECOND, 2))
    state, _ = step(rollout(("three", 100)), going, now=NOW)
    assert shares(state) == [("one", 60), ("two", 39), ("three", 1)]


def test_a_smaller_share_is_taken_from_the_oldest() -> None:
    going = rollout(("one", 60), ("two", 40))
    state, _ = step(rollout(("two", 50)), going, now=NOW)
    assert shares(state) == [("one", 10), ("two", 40)]


def test_a_larger_share_goes_to_the_newest() -> None:
    going = rollout(("one", 30), ("two", 20))
    state, _ = step(rollout(("two", 100)), going, now=NOW)
    assert shares(state) == [("one", 30), ("two", 70)]


def test_the_annotation_is_knatives() -> None:
    text = (
        '{"configurations":[{"configurationName":"cfg","tag":"t","percent":100,'
        '"revisions":[{"revisionName":"a","percent":77},{"revisionName":"b","percent":23}],'
        '"stepParams":{"starttime":1,"nextStepTime":2,"stepDuration":3,"stepSize":2}}]}'
    )
    state = parse(text)
    assert state == rollout(("a", 77), ("b", 23), steps=Steps(1, 2, 3, 2), tag="t")
    assert state is not None
    assert serialize(state) == text
    assert serialize(Rollout()) == "{}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param('{"configurations":[{"percent":1}]}', id="no name"),
        pytest.param(
            '{"configurations":[{"configurationName":"c","percent":100,"revisions":'
            '[{"revisionName":"a","percent":50}]}]}',
            id="does not add up",
        ),
        pytest.param(
            '{"configurations":[{"configurationName":"c","percent":101,"revisions":'
            '[{"revisionName":"a","percent":101}]}]}',
            id="over 100",
        ),
    ],
)
def test_a_bad_annotation_is_no_state(text: str) -> None:
    assert parse(text) is None


events = st.lists(
    st.tuples(
        st.sampled_from(["new revision", "share", "time", "ready"]),
        st.integers(2, 100),
        st.integers(0, 30),
    ),
    max_size=40,
)


@given(events)
def test_shares_always_add_up(history: list[tuple[str, int, int]]) -> None:
    number, percent, now = 0, 100, NOW
    state: Rollout | None = None
    for event, amount, seconds in history:
        now += seconds * SECOND
        if event == "new revision":
            number += 1
        elif event == "share":
            percent = amount
        elif event == "ready" and state is not None:
            state = observe_ready(state, now=now, duration_seconds=30)
        goal = rollout((f"rev-{number}", percent))
        state, following = step(goal, state, now=now)
        found = state.configurations[0]
        assert sum(share.percent for share in found.shares) == percent
        assert all(share.percent > 0 for share in found.shares)
        assert found.shares[-1].revision == f"rev-{number}"
        assert parse(serialize(state)) == state
        assert following is None or following > NOW
