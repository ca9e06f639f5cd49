"""A lag as a status tells it."""

import pytest

from eventing.runtime.lagmarks import rough


@pytest.mark.parametrize(
    ("lag", "told"),
    [
        (0, 0),
        (99, 0),
        (100, 100),
        (199, 100),
        (200, 200),
        (499, 200),
        (500, 500),
        (999, 500),
        (1000, 1000),
        (54_321, 50_000),
        (2_000_000, 2_000_000),
    ],
)
def test_it_is_rounded_down(lag, told):
    assert rough(lag) == told
