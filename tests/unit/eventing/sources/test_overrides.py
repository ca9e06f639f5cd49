"""What is set on each event of a source."""

from __future__ import annotations

import pytest

from eventing.sources.overrides import overridden

BASE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "team": "none"}


@pytest.mark.parametrize(
    ("extensions", "told"),
    [
        ({"team": "one"}, {"team": "one"}),
        ({"Team": "one", "more": "two"}, {"team": "one", "more": "two"}),
        # Not an extension, or no name of one.
        ({"type": "x", "id": "x", "datacontenttype": "x", "time": "x"}, {}),
        ({"data": "x", "a-b": "x", "": "x"}, {}),
    ],
)
def test_extensions_are_set(extensions: dict[str, str], told: dict[str, str]) -> None:
    assert overridden(BASE, extensions) == BASE | told
