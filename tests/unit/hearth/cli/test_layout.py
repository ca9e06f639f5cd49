"""Which ports a Hearth takes: those asked for, those of the last time, free ones."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cli.errors import UserError
from hearth.cli.layout import choose_ports

PORTS = st.integers(1, 40)


def chosen(
    gateway: int = 0,
    api: int = 0,
    *,
    remembered: dict[str, int] | None = None,
    taken: frozenset[int] = frozenset(),
) -> dict[str, int]:
    free = itertools.count(1000)
    return choose_ports(
        {"gateway": gateway, "api": api},
        remembered=remembered or {},
        is_free=lambda number: number not in taken,
        any_free=lambda: next(free),
    )


def test_ports_of_the_last_time_are_kept() -> None:
    first = chosen(8080)
    again = chosen(8080, remembered=first)
    assert again == first


def test_a_remembered_port_that_is_taken_is_given_up() -> None:
    ports = chosen(remembered={"webhook": 7}, taken=frozenset({7}))
    assert ports["webhook"] >= 1000


@pytest.mark.parametrize(("gateway", "api", "option"), [(7, 0, "--port"), (0, 7, "--api-port")])
def test_a_port_that_was_asked_for_and_is_taken_names_its_option(
    gateway: int, api: int, option: str
) -> None:
    with pytest.raises(UserError, match=rf"port 7 is in use .* {option} "):
        chosen(gateway, api, taken=frozenset({7}))


def test_one_that_was_asked_for_goes_before_a_remembered_one() -> None:
    assert chosen(9, remembered={"gateway": 8})["gateway"] == 9


@given(PORTS, PORTS, st.dictionaries(st.sampled_from(["internal", "webhook", "stats"]), PORTS))
def test_no_port_is_given_twice_beyond_what_was_asked_for(
    gateway: int, api: int, remembered: dict[str, int]
) -> None:
    ports = chosen(gateway, api, remembered=remembered)
    own = [number for purpose, number in ports.items() if purpose not in ("gateway", "api")]
    assert len({*own, gateway, api}) == len(own) + len({gateway, api})
