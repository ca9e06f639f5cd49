"""kill -9 of a broker process under load: nothing acknowledged is lost.

The full exercise, with more kills and numbers, is ``tests/bench/events.py``.
"""

from tests.bench import events


async def test_nothing_acknowledged_is_lost():
    losses = await events.kill_under_load(2, seconds=0.4)
    assert losses.acknowledged > 0
    assert losses.lost == 0
