"""Jobs of a tube."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.beanstalkd import jobs_of
from hearth.keda.scalers.seam import ScalerError

STATS = {
    "current-jobs-ready": "3",
    "current-jobs-reserved": "2",
    "current-jobs-delayed": "4",
    "current-jobs-buried": "9",
}


def test_jobs_to_do():
    assert jobs_of(STATS, False) == 5
    assert jobs_of(STATS, True) == 9
    assert jobs_of({}, True) == 0


def test_what_is_no_number():
    with pytest.raises(ScalerError, match="no number"):
        jobs_of({"current-jobs-ready": "many"}, False)
