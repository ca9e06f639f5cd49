"""Journeys on disk: written in the background, bounded, there again after a restart or a kill."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from eventing.runtime.config import JourneyLimits
from eventing.runtime.journeys.journey import EventName, Journey, journeys_of
from eventing.runtime.journeys.keeper import Journeys, LogJourneys
from tests.unit.eventing.runtime.journeys.test_recorder import MAILER, an_attempt, an_event

SMALL = JourneyLimits(bytes=32_000, file_bytes=4_000)


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Journeys]:
    journeys = Journeys(tmp_path, SMALL)
    yield journeys
    await journeys.close()


async def found(log: LogJourneys, event_id: str) -> list[Journey]:
    return await log.ask(lambda batches: journeys_of(batches(), [EventName(event_id)]))


def note(log: LogJourneys, numbers: Iterator[int] | range) -> None:
    for number in numbers:
        event = an_event(number, f"e-{number}", subject=str(hash(str(number))))
        log.recorder.routed(event, [MAILER])
        log.recorder.attempted(an_attempt(event))


async def test_what_is_asked_for_needs_no_flush_before(kept: Journeys) -> None:
    log = kept.of("log", str)
    note(log, range(3))
    [journey] = await found(log, "e-1")
    assert journey.legs[MAILER.label].outcome == "delivered"
    assert await found(kept.of("another", str), "e-1") == []


async def test_journeys_are_there_after_a_restart(tmp_path: Path) -> None:
    for number in range(3):
        journeys = Journeys(tmp_path, SMALL)
        log = journeys.of("log", str)
        note(log, range(number, number + 1))
        log.close()
        await journeys.close()
    again = Journeys(tmp_path, SMALL)
    log = again.of("log", str)
    assert [len(await found(log, f"e-{number}")) for number in range(4)] == [1, 1, 1, 0]
    await again.close()


async def test_a_kill_loses_what_was_not_written_and_a_torn_batch(
    kept: Journeys, tmp_path: Path
) -> None:
    log = kept.of("log", str)
    note(log, range(10))
    assert len(await found(log, "e-1")) == 1
    note(log, range(10, 20))
    assert len(await found(log, "e-11")) == 1
    note(log, range(20, 21))  # not written when the process is killed
    left = tmp_path / "left"
    shutil.copytree(tmp_path / "log", left / "log")
    [file] = (left / "log").iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    again = Journeys(left, SMALL)
    log = again.of("log", str)
    note(log, range(30, 31))
    assert [len(await found(log, f"e-{n}")) for n in (1, 9, 11, 20, 30)] == [1, 1, 0, 0, 1]
    await again.close()


async def test_the_oldest_makes_way(kept: Journeys, tmp_path: Path) -> None:
    log = kept.of("log", str)
    for start in range(0, 6000, 50):
        note(log, range(start, start + 50))
        log.flush()
    assert len(await found(log, "e-5999")) == 1
    assert await found(log, "e-0") == []
    sizes = [path.stat().st_size for path in (tmp_path / "log").iterdir()]
    assert 16_000 < sum(sizes) <= 32_000
    assert max(sizes) <= 4_000


async def test_many_restarts_leave_few_files(tmp_path: Path) -> None:
    for number in range(300):
        journeys = Journeys(tmp_path, SMALL)
        log = journeys.of("log", str)
        note(log, range(number, number + 1))
        log.close()
        await journeys.close()
    assert len(list((tmp_path / "log").iterdir())) <= 128


async def test_a_disk_that_takes_nothing_loses_journeys_alone(
    kept: Journeys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log").write_text("in the way of the folder")
    log = kept.of("log", str)
    note(log, range(3))
    assert await found(log, "e-1") == []
    assert log.recorder.lost == 6
    note(log, range(3))
    assert await found(log, "e-1") == []
    complaints = [each for each in caplog.records if "cannot be written" in each.getMessage()]
    assert len(complaints) == 1, "said once a minute"
    (tmp_path / "log").unlink()
    note(log, range(3))
    assert len(await found(log, "e-1")) == 1


async def test_journeys_go_with_their_log(kept: Journeys, tmp_path: Path) -> None:
    log, other = kept.of("log", str), kept.of("other", str)
    for each in (log, other):
        note(each, range(1))
        assert len(await found(each, "e-0")) == 1
    assert await kept.keys() == {"log", "other"}
    log.remove()
    assert await found(other, "e-0")
    assert await kept.keys() == {"other"}
    await kept.drop("other")
    assert await kept.keys() == set()
