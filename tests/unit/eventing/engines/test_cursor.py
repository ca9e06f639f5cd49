"""Cursors against a plain model; their file against a crash at any byte."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventing.engines.cursor import Cursor, CursorState, decode_states, encode_states
from eventing.engines.local import cursorfile
from eventing.engines.local.cursorfile import CursorFile


def test_a_moved_cursor_gives_all_from_there_on_and_nothing_else():
    notes = {2: "aside", 3: "tried", 6: "aside", 8: "tried"}
    state = CursorState(9, (3, 5, 8), notes)
    assert state.moved(5) == CursorState(5, (), {2: "aside"})
    assert state.moved(0) == CursorState(0, (), {})
    assert state.moved(12) == CursorState(12, (), {2: "aside", 6: "aside"})
    assert state.moved(5).low == 2


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=60))
def test_low_is_the_oldest_event_still_needed(steps):
    cursor, position = Cursor(CursorState(0)), 0
    taken: set[int] = set()
    done: set[int] = set()
    for finish, number in steps:
        if finish and taken:
            sequence = sorted(taken)[number % len(taken)]
            cursor.done(sequence)
            taken.discard(sequence)
            done.add(sequence)
        else:
            position += number % 3
            cursor.take(position)
            taken.add(position)
            position += 1
        assert cursor.low == min(taken, default=cursor.next)
        assert cursor.pending == len(taken)
        state = cursor.state()
        assert state.open == tuple(sorted(taken))
        assert state.low == cursor.low
        assert Cursor(state).low == cursor.low


@given(
    st.lists(
        st.tuples(st.sampled_from(["take", "done", "note", "park", "recall"]), st.integers(0, 9)),
        max_size=60,
    )
)
def test_notes_and_what_is_set_aside(steps):
    """Against a plain table: each event is open or aside, and has a note or none."""
    cursor, position = Cursor(CursorState(0)), 0
    table: dict[int, tuple[bool, str]] = {}
    for number, (step, choice) in enumerate(steps):
        found = sorted(table)[choice % len(table)] if table else -1
        is_open, text = table.get(found, (False, ""))
        if step == "take":
            cursor.take(position)
            table[position] = (True, "")
            position += 1
        elif step == "done":
            cursor.done(found)
            table.pop(found, None)
        elif step == "note":
            cursor.note(found, "" if choice % 3 == 0 else str(number))
            if is_open:
                table[found] = (True, "" if choice % 3 == 0 else str(number))
        elif step == "park":
            cursor.park(found, str(number))
            if is_open:
                table[found] = (False, str(number))
        else:
            cursor.recall(found)
            if found in table:
                table[found] = (True, text)
        for each in (cursor, Cursor(cursor.state())):
            assert each.low == min(table, default=each.next) == each.state().low
            assert each.state().open == tuple(sorted(n for n, (o, _) in table.items() if o))
            assert each.first == min((n for n, (o, _) in table.items() if o), default=each.next)
            assert each.parked() == {n: t for n, (o, t) in sorted(table.items()) if not o}
            assert all(each.note_of(n) == t for n, (_, t) in table.items())
            assert each.is_needed == bool(table)


def test_only_notes_that_changed_are_written():
    cursor = Cursor(CursorState(0))
    for sequence in range(100):
        cursor.take(sequence)
        cursor.park(sequence, "x" * 50)
    before = cursor.state()
    assert len(encode_states({"a": before})) > 5000
    assert len(encode_states({"a": cursor.state()}, {"a": before})) < 20
    cursor.done(7)
    cursor.recall(8)
    after = cursor.state()
    change = encode_states({"a": after}, {"a": before})
    assert len(change) < 50
    assert decode_states(change, {"a": before}) == {"a": after}


def test_states_without_notes_are_read_as_they_always_were():
    assert decode_states(b'{"a":[7,[1,3]]}') == {"a": CursorState(7, (1, 3))}


def test_done_twice_is_done_once():
    cursor = Cursor(CursorState(0))
    cursor.take(0)
    cursor.done(0)
    cursor.done(0)
    assert (cursor.low, cursor.pending) == (1, 0)


def test_changes_are_noticed_once():
    cursor = Cursor(CursorState(3))
    cursor.advance(3)
    assert not cursor.changed
    cursor.advance(4)
    assert cursor.changed


STATES = st.builds(
    lambda following, gaps, notes: CursorState(
        following,
        tuple(sorted({max(0, following - gap) for gap in gaps})),
        {max(0, following - gap): text for gap, text in notes.items()},
    ),
    st.integers(0, 10**9),
    st.lists(st.integers(1, 50), max_size=4),
    st.dictionaries(st.integers(1, 50), st.text(max_size=3), max_size=4),
)
CHANGES = st.dictionaries(st.sampled_from("abc"), st.none() | STATES, min_size=1)


@given(CHANGES)
def test_states_are_read_as_written(states):
    assert decode_states(encode_states(states)) == states


@given(st.lists(CHANGES, max_size=5), st.data())
@settings(max_examples=40)
def test_a_cut_file_gives_an_earlier_state(batches, draw):
    with tempfile.TemporaryDirectory() as name:
        file = CursorFile(Path(name))
        history: list[dict[str, CursorState]] = [{}]
        for batch in batches:
            file.save(batch, durable=False)
            history.append(dict(file.states))
        file.close()
        path = Path(name) / "cursors"
        whole = path.read_bytes()
        path.write_bytes(whole[: draw.draw(st.integers(0, len(whole)))])
        reopened = CursorFile(Path(name))
        reopened.close()
        assert reopened.states in history


def test_an_uncut_file_gives_the_last_state(tmp_path):
    file = CursorFile(tmp_path)
    file.save({"a": CursorState(5, (1, 3)), "b": CursorState(1)}, durable=True)
    file.save({"b": None}, durable=False)
    file.close()
    reopened = CursorFile(tmp_path)
    reopened.close()
    assert reopened.states == {"a": CursorState(5, (1, 3))}


def test_a_failed_write_costs_no_later_state(tmp_path, monkeypatch):
    file = CursorFile(tmp_path)

    def full(fd, data):
        os.write(fd, data[:5])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(cursorfile, "write_all", full)
        with pytest.raises(OSError, match="No space"):
            file.save({"a": CursorState(1)}, durable=True)
    file.save({"b": CursorState(2)}, durable=False)
    file.close()
    reopened = CursorFile(tmp_path)
    reopened.close()
    assert reopened.states == {"a": CursorState(1), "b": CursorState(2)}


def test_the_file_does_not_grow_without_end(tmp_path):
    file = CursorFile(tmp_path)
    many = tuple(range(10_000))
    for number in range(60):
        file.save({"a": CursorState(10_000 + number, many)}, durable=False)
    file.close()
    assert (tmp_path / "cursors").stat().st_size < 2 * 1024 * 1024
    reopened = CursorFile(tmp_path)
    reopened.close()
    assert reopened.states["a"].next == 10_059
