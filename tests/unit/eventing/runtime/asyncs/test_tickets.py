from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventing.runtime.asyncs.tickets import CHANCE_BYTES, Tickets, end_of

SERVICE = ("ns", "hello")
TICKETS = Tickets(b"k" * 32)


@given(st.integers(0, 2**40 - 1), st.binary(min_size=CHANCE_BYTES, max_size=CHANCE_BYTES))
def test_a_ticket_says_when_it_ends_to_who_has_the_key(ends: int, chance: bytes) -> None:
    ticket = TICKETS.make(SERVICE, ends, chance)
    assert len(ticket) == 43
    assert TICKETS.ends(SERVICE, ticket) == end_of(ticket) == ends
    assert Tickets(b"x" * 32).ends(SERVICE, ticket) is None
    assert TICKETS.ends(("ns", "other"), ticket) is None
    assert TICKETS.ends(("other", "hello"), ticket) is None


@given(st.integers(0, 42), st.characters(codec="ascii"))
def test_a_ticket_that_somebody_changed_is_none(place: int, letter: str) -> None:
    ticket = TICKETS.make(SERVICE, 1000, b"c" * CHANCE_BYTES)
    changed = ticket[:place] + letter + ticket[place + 1 :]
    # The last letter says four bits, so some stand for the same.
    if changed != ticket and place < 42:
        assert TICKETS.ends(SERVICE, changed) is None


@given(st.text(max_size=60))
def test_no_text_breaks_anything(text: str) -> None:
    assert TICKETS.ends(SERVICE, text) is None
    assert end_of(text) is None or len(text) == 43
