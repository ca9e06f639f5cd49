"""Stored annotations: what admission refuses counts as absent, what it accepts is read."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api import annotations as numbers
from serving.api import keys
from serving.api.annotations import stored
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.keys import Aliases
from serving.api.validation.autoscaling import validate_annotations

READERS: dict[Aliases, Callable[[str], float]] = {
    keys.TARGET: numbers.READ_TARGET,
    keys.TARGET_UTILIZATION: numbers.READ_TARGET_UTILIZATION,
    keys.TARGET_BURST_CAPACITY: numbers.READ_BURST_CAPACITY,
    keys.PANIC_WINDOW_PERCENTAGE: numbers.READ_PANIC_WINDOW_PERCENTAGE,
    keys.PANIC_THRESHOLD_PERCENTAGE: numbers.READ_PANIC_THRESHOLD_PERCENTAGE,
    keys.MIN_SCALE: numbers.READ_SCALE,
    keys.MAX_SCALE: numbers.READ_SCALE,
    keys.ACTIVATION_SCALE: numbers.READ_ACTIVATION_SCALE,
    keys.WINDOW: numbers.READ_WINDOW,
    keys.POD_RETENTION_PERIOD: numbers.READ_PERIOD,
}
TEXTS = (
    st.floats().map(str)
    | st.integers().map(str)
    | st.integers(min_value=-5, max_value=4000).map(lambda n: f"{n}s")
    | st.text(max_size=6)
    | st.sampled_from(
        ["NaN", "Inf", "-0", "1e400", "9" * 5000, "１０", "1_0", " 1", "", "9999999999h", "0.01"]
    )
)


@pytest.mark.parametrize("annotation", READERS, ids=lambda annotation: str(annotation.key))
@given(text=TEXTS)
def test_admission_and_readers_agree(annotation: Aliases, text: str) -> None:
    errors = validate_annotations({annotation.key: text}, AutoscalerConfig())
    number = stored({annotation.key: text}, annotation, READERS[annotation], default=math.nan)
    assert math.isnan(number) == bool(errors)


def test_an_absent_annotation_is_the_default() -> None:
    assert stored({}, keys.TARGET, numbers.READ_TARGET, default=7.0) == 7.0
