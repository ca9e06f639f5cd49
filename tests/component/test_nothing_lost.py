"""A Service under load while all that can happen to it happens: ``make bench`` has it whole."""

from __future__ import annotations

import pytest

from tests.bench.hearth import RunningHearth
from tests.bench.nothinglost import (
    SCENES,
    Scene,
    activators_ended,
    activators_killed,
    play,
    pods_killed,
    rolled_out,
)

OF_TWO = (rolled_out, pods_killed, activators_ended, activators_killed)


@pytest.mark.parametrize(("workers", "scenes"), [(1, SCENES), (2, OF_TWO)])
async def test_no_idempotent_request_is_lost_and_no_other_done_twice(
    workers: int, scenes: tuple[Scene, ...]
) -> None:
    with RunningHearth("--workers", str(workers)) as hearth:
        outcome = await play(hearth, rate=60.0, times=1, settle_seconds=0.3, scenes=scenes)
    assert outcome.lost == []
    assert outcome.failed_posts(killing=False) == []
    assert outcome.refused == 0
    assert outcome.done_twice == []
    assert outcome.not_done == set()
    assert all(seen.answered for seen in outcome.scenes.values())
