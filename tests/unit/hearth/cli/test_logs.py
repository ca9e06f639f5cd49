from __future__ import annotations

import pytest

from hearth.cli.errors import UserError
from hearth.cli.logs import LogOptions


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (LogOptions("s", "n", False, None), {}),
        (LogOptions("s", "n", True, 0), {"follow": "true", "tailLines": "0"}),
        (LogOptions("s", "n", False, None, "1m30s"), {"sinceSeconds": "90"}),
        (LogOptions("s", "n", False, None, "10ms"), {"sinceSeconds": "1"}),
    ],
)
def test_what_the_api_is_asked(options: LogOptions, query: dict[str, str]) -> None:
    assert options.query() == query


@pytest.mark.parametrize("since", ["soon", "5", "-5s", "0s"])
def test_what_is_no_time_that_has_passed(since: str) -> None:
    with pytest.raises(UserError, match=f"--since {since}: give a time"):
        LogOptions("s", "n", False, None, since).query()
