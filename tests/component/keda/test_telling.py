"""What is told of a trigger's requests while it is read."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.seam import ScalerError
from hearth.keda.scalers.telling import LISTENER
from tests.component.keda.scaling import read, trigger
from tests.component.keda.webserver import answering
from tests.ports import free_port


class Recorder:
    def __init__(self) -> None:
        self.said: list[object] = []

    def requested(self, status: str, seconds: float) -> None:
        assert seconds > 0
        self.said.append(status)

    def found_nothing(self, *, is_ignored: bool) -> None:
        self.said.append(is_ignored)


@pytest.fixture
def told() -> Recorder:
    recorder = Recorder()
    LISTENER.set(recorder)
    return recorder


async def test_each_request_is_told_with_its_status(told: Recorder) -> None:
    async with answering(lambda _: {"n": 4}) as server:
        asking = {"url": server.url, "valueLocation": "n", "targetValue": "1"}
        await read(trigger("metrics-api", **asking))
    assert told.said == ["200"]
    nowhere = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(ScalerError):
        await read(trigger("metrics-api", **asking | {"url": nowhere}))
    assert told.said == ["200", "error"]


@pytest.mark.parametrize("result", [[], [{"metric": {}, "value": []}]])
async def test_a_query_that_finds_nothing_is_told(told: Recorder, result: list[object]) -> None:
    async with answering(lambda _: {"status": "success", "data": {"result": result}}) as server:
        asking = {"serverAddress": server.url, "query": "q", "threshold": "1"}
        assert (await read(trigger("prometheus", **asking))).value == 0
        with pytest.raises(ScalerError, match="is empty"):
            await read(trigger("prometheus", **asking, ignoreNullValues="false"))
    assert told.said == ["200", True, "200", False]
