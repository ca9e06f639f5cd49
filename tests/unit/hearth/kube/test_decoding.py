"""Decoding of lists: right, and without collections on the way."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import orjson
import pytest

from hearth.kube.decoding import LARGE_OCTETS, decoded


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations that were collected since."""
    found = list[int]()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            found.append(info["generation"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


def a_list(items: int) -> bytes:
    return orjson.dumps({"items": [{"metadata": {"name": str(n)}} for n in range(items)]})


def test_a_large_list_is_decoded_without_a_collection(collections: list[int]) -> None:
    payload = a_list(20_000)
    assert len(payload) > LARGE_OCTETS
    gc.collect()
    collections.clear()
    answer = decoded(payload)
    assert len(collections) <= 1  # the one that was due, afterwards
    assert len(answer["items"]) == 20_000
    assert gc.isenabled()


def test_a_small_answer_is_decoded_as_ever() -> None:
    assert decoded(b'{"a": [1]}') == {"a": [1]}


def test_the_collector_goes_on_after_what_is_no_json() -> None:
    with pytest.raises(orjson.JSONDecodeError):
        decoded(b"x" * LARGE_OCTETS)
    assert gc.isenabled()


def test_one_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        decoded(a_list(20_000))
        assert not gc.isenabled()
    finally:
        gc.enable()
