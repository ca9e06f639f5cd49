"""The state in memory against a plain dictionary."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.model.objects import Change, Entry, Key, Owner
from hearth.cluster.store.history import History
from hearth.cluster.store.state import State, rewind

NAMES = st.sampled_from(["a", "a-b", "b", "z"])
KEYS = st.builds(Key, st.just("pods"), NAMES, NAMES)
OPERATIONS = st.lists(st.tuples(KEYS, st.sampled_from(["put", "delete"])), max_size=40)


def an_entry(key: Key, revision: int, owner: str = "") -> Entry:
    owners = (Owner(owner, "X", "x", "v1", False),) if owner else ()
    return Entry(key, revision, b"%d" % revision, f"uid-{key.text}", {}, owners)


def changes_of(operations: list[tuple[Key, str]]) -> list[Change]:
    """What a store would publish for these operations; deleting nothing publishes nothing."""
    current: dict[Key, Entry] = {}
    found = []
    for revision, (key, operation) in enumerate(operations, 1):
        before, now = current.get(key), an_entry(key, revision)
        if operation == "delete":
            if before is None:
                continue
            del current[key]
        else:
            current[key] = now
        found.append(Change(now, before, operation == "delete"))
    return found


def model(changes: list[Change]) -> dict[Key, Entry]:
    found: dict[Key, Entry] = {}
    for change in changes:
        if change.deleted:
            del found[change.now.key]
        else:
            found[change.now.key] = change.now
    return found


@given(OPERATIONS)
def test_the_state_is_what_the_changes_lead_to(operations: list[tuple[Key, str]]) -> None:
    state, changes = State(), changes_of(operations)
    for change in changes:
        state.apply(change)
    expected = model(changes)
    assert {entry.key: entry for entry in state.entries("pods")} == expected
    for key, entry in expected.items():
        assert state.get(key) == entry
        assert state.by_uid(entry.uid) == entry


@given(OPERATIONS, NAMES)
def test_lists_are_in_the_order_of_paths(operations: list[tuple[Key, str]], namespace: str) -> None:
    state, changes = State(), changes_of(operations)
    for change in changes:
        state.apply(change)
    paths = [entry.key.path for entry in state.entries("pods")]
    assert paths == sorted(paths)
    inside = [entry.key for entry in state.entries("pods", namespace)]
    assert inside == [
        entry.key for entry in state.entries("pods") if entry.key.namespace == namespace
    ]


@given(OPERATIONS, st.integers(0, 40))
def test_rewinding_gives_the_state_of_any_revision(
    operations: list[tuple[Key, str]], revision: int
) -> None:
    state, changes = State(), changes_of(operations)
    for change in changes:
        state.apply(change)
    then = model([change for change in changes if change.revision <= revision])
    later = [change for change in changes if change.revision > revision]
    assert rewind(state.entries("pods"), later) == sorted(
        then.values(), key=lambda entry: entry.key.path
    )


@given(OPERATIONS, st.integers(0, 40), st.integers(1, 10))
def test_history_gives_all_changes_or_says_that_it_cannot(
    operations: list[tuple[Key, str]], revision: int, size: int
) -> None:
    history, changes = History(0, max_changes=size), changes_of(operations)
    for change in changes:
        history.append(change)
    found = history.after(revision, "pods")
    expected = [change for change in changes if change.revision > revision]
    assert found in (None, expected)
    if len(changes) <= size:
        assert found == expected


@given(st.lists(st.integers(1, 3000), max_size=30))
def test_history_keeps_no_more_bytes_than_it_may(sizes: list[int]) -> None:
    history, key, before = History(0, max_bytes=4000), Key("pods", "n", "p"), None
    for revision, size in enumerate(sizes, start=1):
        entry = replace(an_entry(key, revision), held=b"x" * size)
        history.append(Change(entry, before, False))
        before = entry
    kept = history.after(history.floor, "pods")
    assert kept is not None
    assert sum(change.size for change in kept) <= 4000


def test_dependents_are_found_until_they_go() -> None:
    state, key = State(), Key("pods", "n", "p")
    entry = an_entry(key, 1, owner="o")
    state.apply(Change(entry, None, False))
    assert state.dependents("o") == [entry]
    state.apply(Change(an_entry(key, 2), entry, False))
    assert state.dependents("o") == []
    assert state.owner_uids() == []
