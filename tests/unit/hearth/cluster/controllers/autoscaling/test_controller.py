from __future__ import annotations

import pytest

from hearth.cluster.controllers.autoscaling.controller import pause


@pytest.mark.parametrize(
    ("sync_seconds", "awake", "seconds"),
    [
        pytest.param(2.0, 1, 2.0, id="one"),
        pytest.param(2.0, 20, 2.0, id="few"),
        pytest.param(2.0, 100, 10.0, id="ten looks a second"),
        pytest.param(2.0, 5000, 15.0, id="as Kubernetes does"),
        pytest.param(30.0, 5000, 30.0, id="as asked for"),
    ],
)
def test_many_autoscalers_are_looked_at_less_often(
    sync_seconds: float, awake: int, seconds: float
) -> None:
    assert pause(sync_seconds, awake) == seconds
