"""cron: when the time is within, in time zones, over midnight and at both ends."""

from __future__ import annotations

import asyncio
import datetime
import zoneinfo

import pytest

from hearth.keda.scalers.catalog import Shared
from hearth.keda.scalers.cron import make
from hearth.keda.scalers.seam import ConfigError, MetricType, PushScaler, Reading, TriggerConfig

_BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
_OFFICE = {
    "timezone": "Europe/Berlin",
    "start": "0 8 * * 1-5",
    "end": "0 18 * * 1-5",
    "desiredReplicas": "10",
}


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> float:
    """A moment of a week in June 2026 that starts on Monday the 1st."""
    return datetime.datetime(2026, 6, day, hour, minute, second, tzinfo=_BERLIN).timestamp()


async def read(moment: float, **said: str) -> Reading:
    return await make(
        TriggerConfig("cron", {**_OFFICE, **said}), Shared(None, lambda: moment)
    ).read()


@pytest.mark.parametrize(
    ("moment", "active"),
    [
        (at(1, 7, 59, 59), False),
        (at(1, 8), True),
        (at(1, 17, 59, 59), True),
        (at(1, 18), False),
        (at(5, 17), True),
        (at(6, 12), False),
    ],
)
async def test_it_is_within_from_the_start_on_and_not_at_the_end(moment, active):
    assert await read(moment) == Reading(10 if active else 0, active)


@pytest.mark.parametrize(("hour", "active"), [(23, True), (3, True), (6, False), (12, False)])
async def test_it_may_span_midnight(hour, active):
    night = {"start": "0 22 * * *", "end": "0 6 * * *"}
    assert (await read(at(3, hour), **night)).is_active is active


async def test_an_end_that_never_comes_ends_all_and_a_start_that_never_comes_nothing():
    assert not (await read(at(1, 9), end="0 0 30 2 *")).is_active
    assert (await read(at(1, 9), start="0 0 30 2 *")).is_active


async def test_it_tells_of_its_moments_when_they_come():
    start, loop = at(1, 7, 59, 59) + 0.95, asyncio.get_running_loop()
    begun = loop.time()
    config = TriggerConfig("cron", _OFFICE)
    made = make(config, Shared(None, lambda: start + loop.time() - begun))
    assert isinstance(made, PushScaler)
    told = made.activity()
    assert await anext(told) is False
    assert await anext(told) is True
    assert 0.05 <= loop.time() - begun < 5
    following = asyncio.ensure_future(anext(told))
    await asyncio.sleep(0)
    await made.close()
    with pytest.raises(StopAsyncIteration):
        await following


def test_the_metric_is_named_as_keda_does():
    said = {**_OFFICE, "start": "*/5 8 ? * 1,2"}
    config = TriggerConfig("cron", said, index=2, metric_type=MetricType.VALUE)
    spec = make(config, Shared(None)).spec
    assert (spec.name, spec.target) == ("s2-cron-Europe-Berlin-xSl58Qmx1Cm2-018xx1-5", 1)
    assert spec.type is MetricType.VALUE


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"start": "30 * * *"}, "error parsing start schedule: expected exactly 5 fields, found 4"),
        ({"end": "@daily"}, "error parsing end schedule: parser does not accept descriptors"),
        ({"end": "0 8 * * 1-5"}, "start and end can not have exactly same time input"),
        ({"desiredReplicas": "0"}, "no desiredReplicas specified"),
        ({"desiredReplicas": "-1"}, "desiredReplicas must not be negative"),
        ({"desiredReplicas": "x"}, "unable to unmarshal to field type int64"),
        ({"timezone": "Mars/Base"}, "unable to load timezone: unknown time zone Mars/Base"),
        ({"timezone": ""}, 'missing required parameter "timezone"'),
    ],
)
def test_what_is_refused(said, words):
    with pytest.raises(ConfigError, match="error parsing cron metadata: ") as refused:
        make(TriggerConfig("cron", {**_OFFICE, **said}), Shared(None))
    assert words in str(refused.value)
