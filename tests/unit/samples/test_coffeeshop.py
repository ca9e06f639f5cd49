"""The coffee shop's rules: what is an order, and what events make of the board."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sending import headers_of
from shop import MADE, ORDERED, BadOrder, Shop, make_coffee, read_order


def an_order(key: str = "a", via: str = "queue") -> dict[str, Any]:
    return {"id": key, "drink": "latte", "name": "Ada", "ordered": 1.0, "via": via}


def a_coffee(key: str = "a", making: str = "m1") -> dict[str, Any]:
    return make_coffee(an_order(key), "Bo", making, 2.0)


def test_an_order_has_an_id_whoever_gave_it() -> None:
    taken = read_order({"drink": "latte"}, "new", 1.0)
    assert taken == {"id": "new", "drink": "latte", "name": "guest", "ordered": 1.0}
    assert read_order({"drink": "cocoa", "id": "mine-1"}, "new", 1.0)["id"] == "mine-1"


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("latte", 'JSON object such as {"drink": "latte"'),
        ({}, "no drink None; choose one of: espresso"),
        ({"drink": ["latte"]}, "choose one of"),
        ({"drink": "tea"}, "no drink 'tea'; choose one of"),
        ({"drink": "latte", "name": ""}, "name has to be a text of 1 to 40"),
        ({"drink": "latte", "name": 7}, "name has to be a text"),
        ({"drink": "latte", "id": "x" * 41}, "id has to be a text of 1 to 40"),
        ({"drink": "latte", "id": "a\nb"}, "id has to be letters, digits"),
        ({"drink": "latte", "id": "é"}, "id has to be letters, digits"),
    ],
)
def test_what_is_no_order_says_what_to_change(wrong: Any, text: str) -> None:
    with pytest.raises(BadOrder, match=text):
        read_order(wrong, "new", 1.0)


def test_an_order_waits_until_its_coffee_is_made() -> None:
    shop = Shop()
    assert "made" not in shop.take(ORDERED, an_order())
    assert (shop.counts()["waiting"], shop.counts()["queue"]) == (1, 1)
    assert shop.take(MADE, a_coffee())["barista"] == "Bo"
    assert shop.counts() == {
        **{"ordered": 1, "made": 1, "waiting": 0, "queue": 0},
        **{"twice": 0, "again": 0},
    }


def test_only_orders_of_the_queue_ask_for_baristas() -> None:
    shop = Shop()
    shop.take(ORDERED, an_order(via="http"))
    assert (shop.counts()["waiting"], shop.counts()["queue"]) == (1, 0)
    shop.take(ORDERED, an_order(via="queue"))  # nobody made it by HTTP
    assert (shop.counts()["ordered"], shop.counts()["queue"]) == (1, 1)


def test_a_second_coffee_is_poured_away_and_a_repeated_event_is_none() -> None:
    shop = Shop()
    for making in ("m1", "m1", "m2", "m2"):
        shop.take(MADE, a_coffee(making=making))
    assert shop.counts()["made"] == 1
    assert (shop.twice, shop.again) == (1, 2)
    assert shop.newest()[0]["making"] == "m1"
    assert shop.newest()[0]["twice"] == 1


@given(
    keys=st.sets(st.sampled_from("abcdef"), min_size=1),
    repeats=st.lists(st.integers(0, 20)),
    seed=st.integers(),
)
def test_order_and_repetition_of_events_change_no_coffee(
    keys: set[str], repeats: list[int], seed: int
) -> None:
    told = [(ORDERED, an_order(key)) for key in keys] + [(MADE, a_coffee(key)) for key in keys]
    told += [told[number % len(told)] for number in repeats]
    random.Random(seed).shuffle(told)
    shop = Shop()
    for kind, data in told:
        shop.take(kind, data)
    assert shop.counts() == {
        **{"ordered": len(keys), "made": len(keys), "waiting": 0, "queue": 0},
        **{"twice": 0, "again": len(repeats)},
    }
    assert {order["id"]: order for order in shop.newest()} == {key: a_coffee(key) for key in keys}


def test_a_second_try_is_the_same_event() -> None:
    assert headers_of(ORDERED, "a", "queue", via="queue") == {
        "ce-specversion": "1.0",
        "ce-id": "a.queue",
        "ce-type": "coffee.ordered",
        "ce-source": "/samples/coffeeshop",
        "ce-subject": "a",
        "ce-via": "queue",
    }
    assert headers_of(MADE, "a", "m1")["ce-id"] != headers_of(MADE, "a", "m2")["ce-id"]
