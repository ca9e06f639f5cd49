from __future__ import annotations

from typing import Any

from hearth.cluster.node.pod.lifecycle import Failure
from hearth.cluster.node.pod.sizes import SizeLimit, eviction, pause, size_limits


def test_which_volumes_have_a_limit() -> None:
    volumes: list[dict[str, Any]] = [
        {"name": "free", "emptyDir": {}},
        {"name": "zero", "emptyDir": {"sizeLimit": "0"}},
        {"name": "bound", "emptyDir": {"sizeLimit": "1536Ki"}},
        {"name": "fast", "emptyDir": {"sizeLimit": "1G", "medium": "Memory"}},
        {"name": "other", "configMap": {"name": "c"}},
    ]
    found = size_limits({"spec": {"volumes": volumes}})
    assert found == [SizeLimit("bound", 1536 << 10, "1536Ki"), SizeLimit("fast", 10**9, "1G")]
    assert size_limits({"spec": {}}) == []


def test_the_words_of_an_eviction() -> None:
    text = 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". '
    assert eviction(SizeLimit("data", 1 << 20, "1Mi")) == Failure("Evicted", text, 1.0)


def test_measuring_costs_a_part_of_the_time() -> None:
    assert pause(10.0, 0.1) == 10.0
    assert pause(10.0, 2.0) == 100.0
