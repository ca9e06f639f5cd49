"""The newest value of what Graphite renders."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.graphite import newest
from hearth.keda.scalers.seam import ScalerError


def series(*values):
    return [{"target": "t", "datapoints": [[value, 1000 + i] for i, value in enumerate(values)]}]


@pytest.mark.parametrize(
    ("answer", "value"),
    [([], 0), (series(), 0), (series(1, 2, 5), 5), (series(3, None, None), 3), (series(0), 0)],
)
def test_the_newest_value_that_is_known(answer, value):
    assert newest(answer, "q") == value


def test_nothing_but_gaps_is_no_value():
    with pytest.raises(ScalerError, match="no valid non-null response in query q"):
        newest(series(None, None), "q")


def test_two_series_are_no_value():
    with pytest.raises(ScalerError, match="graphite query q returned multiple series"):
        newest(series(1) * 2, "q")
