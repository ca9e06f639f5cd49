"""The table of states: what holds of every path through it."""

from __future__ import annotations

from activator.lifecycle import MOVES, TRANSITIONS, Event, State


def test_every_state_has_a_row_and_the_one_way_out() -> None:
    assert set(TRANSITIONS) == set(State)
    for state in State:
        ends = TRANSITIONS[state].get(Event.END)
        assert ends is (None if state is State.DONE else State.DONE)
    assert not TRANSITIONS[State.DONE]


def test_every_state_is_reached_from_the_first() -> None:
    seen, stack = set(), [State.NEW]
    while stack:
        state = stack.pop()
        if state not in seen:
            seen.add(state)
            stack += TRANSITIONS[state].values()
    assert seen == set(State)


def test_what_has_been_sent_is_only_sent_again_where_nobody_has_looked_at_it() -> None:
    for state in (State.SENT, State.RESPONDING, State.TUNNEL):
        again = [event for event, after in TRANSITIONS[state].items() if after <= State.SENT]
        assert again == ([Event.UNSEEN] if state is State.SENT else [])


def test_only_a_refusal_leads_back() -> None:
    back = {
        (state, event)
        for state, row in TRANSITIONS.items()
        for event, after in row.items()
        if after <= state
    }
    assert back == {(State.CONNECTING, Event.REFUSED), (State.SENT, Event.UNSEEN)}


def test_moves_by_event_are_the_same_moves() -> None:
    by_state = {(state, e): to for state, row in TRANSITIONS.items() for e, to in row.items()}
    by_event = {(state, e): to for e, column in MOVES.items() for state, to in column.items()}
    assert by_event == by_state
