"""What etcd's gateway says of a key and its changes."""

from __future__ import annotations

import base64

import pytest

from hearth.keda.scalers.etcd import changes_in, value_of
from hearth.keda.scalers.seam import ScalerError


def text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def event(value: str):
    return {"kv": {"key": text("k"), "value": text(value)}}


def test_the_value_of_a_key():
    assert value_of({"kvs": [{"value": text("4.5")}]}, "k") == 4.5


@pytest.mark.parametrize(
    ("found", "words"),
    [({}, "watchKey k doesn't exist"), ({"kvs": [{"value": text("many")}]}, "no number")],
)
def test_what_is_no_value(found, words):
    with pytest.raises(ScalerError, match=words):
        value_of(found, "k")


def test_every_change_says_whether_there_is_work():
    deleted = {"type": "DELETE", "kv": {"key": text("k")}}
    events = [event("6"), event("5"), event("many"), deleted]
    assert changes_in({"result": {"events": events}}, 5) == [True, False, False, False]
    assert changes_in({"result": {"created": True}}, 5) == []


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"error": {"message": "no leader"}}, "the watch ended: no leader"),
        (
            {"result": {"canceled": True, "cancel_reason": "compacted"}},
            "the watch ended: compacted",
        ),
    ],
)
def test_the_end_of_a_watch(message, words):
    with pytest.raises(ScalerError, match=words):
        changes_in(message, 5)
