"""A trigger that names a route, as the operator has it."""

from __future__ import annotations

import pytest

from hearth.keda.external.metrics import RouteMetric
from hearth.keda.external.scaler import RouteScaler


async def is_known() -> bool:
    return True


@pytest.mark.parametrize("waiting", [True, False])
async def test_who_waits_is_active_before_any_rate_counts_him(waiting: bool) -> None:
    metrics = [RouteMetric("http_app_rate", 100.0, 0.0)]
    made = RouteScaler(0, lambda: metrics, lambda: waiting, is_known)
    activity = made.activity()
    assert await anext(activity) is waiting
    reading = await made.read()
    assert (reading.value, reading.is_active) == (0.0, waiting)
    await activity.aclose()
