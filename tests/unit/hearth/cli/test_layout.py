"""Which ports a Hearth takes: those asked for, those of the last time, free ones."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cli.errors import UserError
from hearth.cli.layout import (
    MOST_WORKERS,
    Layout,
    activators,
    choose_ports,
    components,
    count_of_workers,
    purposes,
)
from hearth.cli.listeners import shared_ports

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


def test_one_activator_has_no_number_and_nobody_to_share_with() -> None:
    assert activators(1) == ("activator",)
    assert components(1) == (
        "api",
        "cluster",
        "control",
        "activator",
        "broker",
        "keda",
        "ui",
        "pipelines",
        "webhooks",
    )
    assert not any(purpose.startswith("peers") for purpose in purposes(1))


def test_several_have_numbers_and_a_port_each_for_the_others() -> None:
    assert activators(2) == ("activator-1", "activator-2")
    wanted = {"metrics-activator-1", "metrics-activator-2", "peers-activator-1"}
    assert wanted < set(purposes(2))
    assert len(set(purposes(2))) == len(purposes(2))


def test_workers_are_counted_or_as_many_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)))
    assert count_of_workers("auto") == 6
    assert count_of_workers("3") == 3
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(600)))
    assert count_of_workers("auto") == MOST_WORKERS


@pytest.mark.parametrize("text", ["0", "-1", "65", "two", "", "\u0662", "1.5"])
def test_other_counts_of_workers_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="from 1 to 64, or auto"):
        count_of_workers(text)


def test_what_is_shared_where_tls_is_served_from_the_start() -> None:
    ports = {"gateway": 1, "api": 2, "gateway-tls": 8443, "internal": 3, "internal-tls": 4}
    layout = Layout(Path("/folder"), "127.0.0.1", ports, "token", "other")
    assert shared_ports(layout) == ("gateway", "internal")
    secured = replace(layout, has_tls=True)
    assert shared_ports(secured) == ("gateway", "internal", "gateway-tls", "internal-tls")
    assert secured.gateway_by_tls == "https://localhost:8443"
    assert secured.authority == Path("/folder/tls/ca.crt")
