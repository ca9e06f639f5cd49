"""The order of jobs that need each other."""

from __future__ import annotations

import pytest

from hearth.pipelines.sdk.graph import check, ready, skipped
from hearth.pipelines.sdk.problems import Cycle, PipelineError

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def test_a_job_is_ready_once_what_it_needs_has_succeeded() -> None:
    assert ready(DIAMOND, [], []) == ["a"]
    assert ready(DIAMOND, ["a"], ["a"]) == ["b", "c"]
    assert ready(DIAMOND, ["a", "b", "c"], ["a", "b"]) == []
    assert ready(DIAMOND, ["a", "b", "c"], ["a", "b", "c"]) == ["d"]


def test_what_needs_a_failed_job_is_skipped_with_all_that_needs_it() -> None:
    assert skipped(DIAMOND, ["b"]) == ["d"]
    assert skipped(DIAMOND, ["a"]) == ["b", "c", "d"]
    assert skipped(DIAMOND, []) == []


def test_a_need_may_have_been_run_before() -> None:
    check({"b": ["a"]}, ["a"])
    with pytest.raises(PipelineError, match="job 'b' needs 'a', which neither was run before"):
        check({"b": ["a"]}, [])


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({"a": ["a"]}, "a -> a"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "a -> b -> c -> a"),
        ({"x": [], "a": ["x", "b"], "b": ["a"]}, "a -> b -> a"),
    ],
)
def test_a_circle_is_told(needs: dict[str, list[str]], words: str) -> None:
    with pytest.raises(Cycle, match=f"jobs wait for each other: {words}$"):
        check(needs, [])
