"""Which deliveries were taken, over restarts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from eventing.sources.webhook.seen import Memory, Seen, token_of


def test_it_is_known_after_a_restart(tmp_path: Path) -> None:
    first = Memory(tmp_path).of("one")
    first.add([token_of("id", "1"), token_of("proof", "x")], 5.0)
    first.add([token_of("id", "1")], 6.0)
    again = Memory(tmp_path).of("one")
    assert token_of("id", "1") in again and token_of("proof", "x") in again
    assert token_of("id", "2") not in again
    assert len(again) == 2


def test_a_torn_record_is_none(tmp_path: Path) -> None:
    path = tmp_path / "one.seen"
    Seen(path).add([token_of("1"), token_of("2")], 5.0)
    path.write_bytes(path.read_bytes()[:-3])
    torn = Seen(path)
    assert token_of("1") in torn and token_of("2") not in torn
    torn.add([token_of("3")], 6.0)
    assert {each in Seen(path) for each in (token_of("1"), token_of("3"))} == {True}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=60))
def test_the_newest_are_kept_and_the_file_is_bounded(numbers: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.seen"
        seen = Seen(path, most=5)
        for number in numbers:
            seen.add([token_of(str(number))], 1.0)
            assert token_of(str(number)) in seen and len(seen) <= 5
        assert not numbers or path.stat().st_size <= 11 * 16
        again = Seen(path, most=5)
        assert {n for n in range(31) if token_of(str(n)) in again} == {
            n for n in range(31) if token_of(str(n)) in seen
        }


def test_files_of_those_that_are_gone_go(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    for name in ("one", "two"):
        memory.of(name).add([token_of("1")], 1.0)
    memory.keep_only({"two"})
    assert [each.name for each in tmp_path.iterdir()] == ["two.seen"]
    assert token_of("1") not in memory.of("one")
