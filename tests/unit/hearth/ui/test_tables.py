"""Rows and versions: what a viewer is told, however seldom it asks, is what there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hearth.ui.tables import Rows, Tables

CHANGES = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.none() | st.integers(0, 2))
)


def applied(known: dict[str, dict[str, object]], rows: Rows) -> None:
    for table, changed in rows.items():
        for key, row in changed.items():
            if row is None:
                known.get(table, {}).pop(key, None)
            else:
                known.setdefault(table, {})[key] = row


@given(st.lists(CHANGES, max_size=8), st.integers(0, 3))
def test_whoever_applies_what_changed_has_what_there_is(
    portions: list[list[tuple[str, str, int | None]]], most_gone: int
) -> None:
    tables, known, version = Tables(most_gone=most_gone), dict[str, dict[str, object]](), 0
    for portion in portions:
        for table, key, value in portion:
            if value is None:
                tables.drop(table, key)
            else:
                tables.put(table, key, {"value": value})
        told = tables.since(version)
        if told is None:
            known = {name: dict(rows) for name, rows in tables.all().items()}
        else:
            applied(known, told)
        version = tables.version
        present = {name: dict(rows) for name, rows in tables.all().items() if rows}
        assert {name: rows for name, rows in known.items() if rows} == present


def test_what_is_put_again_is_no_news() -> None:
    told: list[int] = []
    tables = Tables(lambda: told.append(1))
    assert tables.put("pods", "a", {"state": "ready"})
    assert not tables.put("pods", "a", {"state": "ready"})
    assert (tables.version, len(told), tables.since(1)) == (1, 1, {})


def test_a_row_that_changed_often_is_told_once_as_it_is() -> None:
    tables = Tables()
    for number in range(100):
        tables.put("rates", "a", {"rps": number})
    assert tables.since(3) == {"rates": {"a": {"rps": 99}}}


def test_a_table_is_replaced_as_a_whole() -> None:
    tables = Tables()
    tables.replace("nodes", {"a": {"n": 1}, "b": {"n": 2}})
    version = tables.version
    assert tables.replace("nodes", {"b": {"n": 2}, "c": {"n": 3}})
    assert tables.since(version) == {"nodes": {"a": None, "c": {"n": 3}}}
    assert not tables.replace("nodes", {"b": {"n": 2}, "c": {"n": 3}})


def test_versions_that_never_were_or_are_forgotten_get_nothing() -> None:
    tables = Tables(most_gone=1)
    for key in "abc":
        tables.put("pods", key, {})
        tables.drop("pods", key)
    assert tables.since(0) is None
    assert tables.since(tables.version + 1) is None
