from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.model.status import ApiStatus
from hearth.cluster.rest import continuetoken


@given(st.text(min_size=1).filter(lambda text: "\0" not in text), st.integers(1, 2**62))
def test_a_token_leads_back_to_where_it_was_made(start: str, revision: int) -> None:
    try:
        start.encode()
    except UnicodeEncodeError:
        return
    assert continuetoken.decode(continuetoken.encode(start, revision)) == (start, revision)


@pytest.mark.parametrize(
    ("token", "complaint"),
    [
        ("nonsense", r"invalid character '\\x9e' looking for beginning of value"),
        ("!", "illegal base64 data at input byte 0"),
        ("e30", 'server does not recognize this encoded version ""'),
        ("eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", "incorrect encoded start resourceVersion"),
    ],
)
def test_what_is_no_token_is_refused(token: str, complaint: str) -> None:
    with pytest.raises(ApiStatus, match=complaint) as refusal:
        continuetoken.decode(token)
    assert refusal.value.code == 400
