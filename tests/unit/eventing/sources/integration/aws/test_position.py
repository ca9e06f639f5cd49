"""How far a stream was read, as it is kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.sources.integration.aws.position import KeptPosition, Position
from hearth.kube.errors import ApiError, Forbidden
from hearth.kube.resources import CONFIGMAPS

LASTS = st.dictionaries(st.text(), st.text(), max_size=3)


@given(st.text(min_size=1), LASTS)
def test_what_is_written_is_read(stream: str, lasts: dict[str, str]) -> None:
    found = Position.read(str(Position(stream, lasts)))
    assert found == Position(stream, lasts)
    assert found.lasts_of(stream) == lasts
    assert found.lasts_of(stream + "x") == {}


@pytest.mark.parametrize("text", ["", "{}", "[]", "7", '{"stream": "a", "shards": []}', "null"])
def test_what_is_no_position_says_nothing(text: str) -> None:
    assert Position.read(text) == Position()


class Api:
    """Notes what is written; fails where it is told to."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.failure: ApiError | None = None

    async def patch(self, resource: object, name: str, namespace: str, change: Any) -> None:
        assert (resource, namespace, name) == (CONFIGMAPS, "ns", "p")
        if self.failure is not None:
            raise self.failure
        self.written.append(change["data"]["position"])


def at(last: int) -> Position:
    return Position("arn", {"s": str(last)})


async def test_it_is_written_once_a_second_at_most_and_at_the_end() -> None:
    api, now = Api(), [0.0]
    client: Any = api
    kept = KeptPosition(client, ("ns", "p"), clock=lambda: now[0])
    for last in range(3):
        await kept.note(at(last))
    assert api.written == [str(at(0))]
    now[0] = 1.0
    await kept.note(at(3))
    await kept.note(at(4))
    await kept.flush()
    await kept.flush()
    assert api.written == [str(at(0)), str(at(3)), str(at(4))]


async def test_what_cannot_be_written_now_is_written_later() -> None:
    api, now = Api(), [0.0]
    client: Any = api
    kept = KeptPosition(client, ("ns", "p"), clock=lambda: now[0])
    api.failure = ApiError({"code": 503, "message": "away"})
    await kept.note(at(1))
    api.failure, now[0] = None, 2.0
    await kept.note(at(1))
    assert api.written == [str(at(1))]


async def test_who_may_not_write_is_not_asked_again() -> None:
    api = Api()
    client: Any = api
    kept = KeptPosition(client, ("ns", "p"), clock=lambda: 0.0)
    api.failure = Forbidden({"code": 403, "message": "no"})
    await kept.note(at(1))
    api.failure = None
    await kept.flush()
    assert api.written == []
