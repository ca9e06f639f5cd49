"""JSON that is kept."""

from __future__ import annotations

import tracemalloc

from hearth.kube.encoding import kept_json


def test_a_kept_text_takes_no_more_memory_than_it_is_long() -> None:
    value = {"message": "x" * 1500, "count": 1}
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [kept_json(value) for _ in range(64)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept[0] == b'{"message":"%b","count":1}' % (b"x" * 1500)
    assert (after - before) / len(kept) < 2 * len(kept[0])
