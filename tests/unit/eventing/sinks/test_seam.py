"""Statuses that tell of a problem: what may work later is sent again, what cannot is not."""

from __future__ import annotations

import pytest

from eventing.aws.faults import Fault, Problem
from eventing.sinks.seam import status_of


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.CONTENT, 400),
        (Fault.BUSY, 429),
        (Fault.OTHER, 502),
        (Fault.ABSENT, 503),
        (Fault.CREDENTIALS, 503),
        (Fault.RIGHTS, 503),
    ],
)
def test_a_problem_has_a_status(fault: Fault, status: int) -> None:
    assert status_of(Problem(fault, "words")) == status
