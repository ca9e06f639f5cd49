"""What activators count, as it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.observability.traffic import parse, quantile

INF = float("inf")


def test_what_is_no_revisions_is_read_as_nobodys() -> None:
    line = 'kn_revision_request_active{kn_revision_name="x",k8s_namespace_name="ns"} 1.0'
    [(name, count)] = parse(line).items()
    assert (name, count.service, count.active) == (("ns", "x"), "", 1.0)


@pytest.mark.parametrize(
    "line",
    [
        "kn_revision_request_active{",
        "kn_revision_request_active{} 1.0",
        'kn_revision_request_active{kn_service_name="",kn_revision_name=""} 1.0',
        'kn_revision_request_active{kn_service_name="a",kn_revision_name="x"} much',
    ],
)
def test_what_is_broken_or_nobodys_is_passed_over(line: str) -> None:
    assert parse(line) == {}


@pytest.mark.parametrize(
    ("buckets", "part", "seconds"),
    [
        ({}, 0.5, None),
        ({0.1: 0.0, INF: 0.0}, 0.5, None),
        ({0.1: 10.0, INF: 10.0}, 0.5, 0.05),
        ({0.1: 0.0, 0.2: 10.0, INF: 10.0}, 0.99, pytest.approx(0.199)),
        ({0.1: 1.0, INF: 10.0}, 0.99, 0.1),
    ],
)
def test_quantiles(buckets: dict[float, float], part: float, seconds: float | None) -> None:
    assert quantile(buckets, part) == seconds


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=50), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_of_the_value_it_stands_for(
    values: list[float], share: float
) -> None:
    bounds = [0.1, 0.25, 0.5, 1.0, float("inf")]
    buckets = {bound: float(sum(value <= bound for value in values)) for bound in bounds}
    found = quantile(buckets, share)
    assert found is not None
    # The value with that rank, and the bucket that it is in.
    exact = sorted(values)[min(len(values) - 1, max(0, -int(-share * len(values) // 1) - 1))]
    upper = next(bound for bound in bounds if exact <= bound)
    lower = max([0.0, *(bound for bound in bounds if bound < upper)])
    assert lower <= found <= upper


def test_what_took_longer_than_the_last_bound_is_told_as_that() -> None:
    assert quantile({0.1: 0.0, float("inf"): 5.0}, 0.5) == 0.1
