from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hearth.cluster.model.objects import Change, Entry, Key
from hearth.cluster.operations import watchers
from hearth.cluster.operations.watchers import Backlog, Watchers


def a_change(revision: int, size: int = 10) -> Change:
    entry = Entry(Key("secrets", "n", "s"), revision, b"x" * size, uid="u", labels={})
    return Change(entry, None, deleted=False)


def test_changes_come_out_in_their_order() -> None:
    backlog = Backlog()
    changes = [a_change(1), a_change(2)]
    for change in changes:
        backlog.put(change)
    assert backlog.wake.is_set()
    assert backlog.take() == changes
    assert backlog.take() == []
    assert not backlog.closed


@settings(max_examples=20)
@given(st.lists(st.integers(0, 20 * 1024 * 1024), max_size=8))
def test_a_watcher_that_does_not_read_holds_a_bounded_number_of_bytes(sizes: list[int]) -> None:
    backlog = Backlog()
    for revision, size in enumerate(sizes):
        backlog.put(a_change(revision, size))
        held = sum(change.size for change in backlog.waiting)
        assert held == backlog.size <= watchers.MAX_BYTES
    assert backlog.closed == (
        max((sum(sizes[: n + 1]) for n in range(len(sizes))), default=0) > watchers.MAX_BYTES
    )


def test_a_closed_backlog_takes_nothing_more() -> None:
    backlog = Backlog()
    for revision in range(watchers.MAX_CHANGES + 2):
        backlog.put(a_change(revision))
    assert backlog.closed
    assert backlog.take() == []


def test_the_watches_of_a_resource_are_closed_together() -> None:
    all_watches, one, other = Watchers(), Backlog(), Backlog()
    all_watches.add("secrets", one)
    all_watches.add("pods", other)
    all_watches.close("secrets")
    assert (one.closed, other.closed) == (True, False)
    all_watches.remove("secrets", one)
    all_watches.close_all()
    assert other.closed
