"""kill -9 of a broker process under load: nothing acknowledged is lost.

The full exercise, with more kills and numbers, is ``tests/bench/events.py``.
"""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "events.py"


@pytest.fixture(scope="module")
def bench():
    root = str(BENCH.parents[2])
    sys.path.insert(0, root)  # the benchmarks are modules of the checkout
    try:
        spec = importlib.util.spec_from_file_location("events_bench", BENCH)
        module = importlib.util.module_from_spec(spec)
        sys.modules["events_bench"] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(root)
        sys.modules.pop("events_bench", None)


async def test_nothing_acknowledged_is_lost(bench, tmp_path):
    found = await bench.kill_under_load(2, seconds=0.4)
    assert found.acknowledged > 0
    assert found.lost == 0
