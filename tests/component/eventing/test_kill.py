"""kill -9 of a broker process under load: nothing acknowledged is lost.

The full exercise, with more kills and numbers, is ``tests/bench/events.py``.
"""

from pathlib import Path

from tests.bench.events import kill_under_load


async def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    found = await kill_under_load(2, seconds=0.4)
    assert found.acknowledged > 0
    assert found.lost == 0
