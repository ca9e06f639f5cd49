from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.node.runtime.containers.limits import Limits, limits_of


@pytest.mark.parametrize(
    ("resources", "limits"),
    [
        pytest.param({}, Limits(), id="nothing said"),
        pytest.param(
            {"limits": {"cpu": "1500m", "memory": "64Mi"}},
            Limits(cpu_quota=150_000, cpu_shares=1536, memory=64 << 20),
            id="a limit is the request too",
        ),
        pytest.param(
            {"limits": {"cpu": 1}, "requests": {"cpu": "250m", "memory": "1Gi"}},
            Limits(cpu_quota=100_000, cpu_shares=256),
            id="requests weigh",
        ),
        pytest.param(
            {"limits": {"cpu": "1m"}}, Limits(cpu_quota=1000, cpu_shares=2), id="the least"
        ),
        pytest.param({"requests": {"cpu": "1000"}}, Limits(cpu_shares=262_144), id="the most"),
    ],
)
def test_limits(resources: dict[str, Any], limits: Limits) -> None:
    assert limits_of(resources) == limits
