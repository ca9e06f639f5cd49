"""The annotation that asks for sticky sessions."""

from __future__ import annotations

import pytest

from serving.api import keys
from serving.api.affinity import COOKIE, Affinity, affinity_of, parse_affinity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cookie", Affinity(cookie=COOKIE)),
        (" cookie ", Affinity(cookie=COOKIE)),
        ("cookie:shop", Affinity(cookie="shop")),
        ("header:X-User", Affinity(header="x-user")),
    ],
)
def test_what_it_may_say(text: str, expected: Affinity) -> None:
    assert parse_affinity(text) == expected
    assert affinity_of({keys.SESSION_AFFINITY: text}) == expected


@pytest.mark.parametrize(
    "text", ["", "Cookie", "cookie:", "header", "header:", "cookie:a b", "header:a:b", "ip", "true"]
)
def test_anything_else_is_refused_and_means_none(text: str) -> None:
    with pytest.raises(ValueError, match="expected cookie, cookie:NAME or header:NAME"):
        parse_affinity(text)
    assert affinity_of({keys.SESSION_AFFINITY: text}) is None
    assert affinity_of({}) is None
