"""Who may send where a namespace's events may take so much of the disk."""

import pytest

from eventing.runtime.diskquota import LogUse, read_most, verdict_of, verdicts

MIB = 1024 * 1024


def stands(namespace, *logs, most=10 * MIB, others=None):
    return verdict_of(verdicts(most, logs, others or {}), namespace)


def test_what_waits_counts_and_what_is_beside_it():
    log = LogUse("a", 6 * MIB, 0)
    assert stands("a", log).refusal == ""
    full = stands("a", log, LogUse("a", 3 * MIB, 0), others={"a": MIB})
    assert full.is_short
    assert full.refusal.startswith(
        "the namespace a is full: its events take 10.0 MiB on disk, and namespace-event-disk "
        "allows 10.0 MiB; "
    )


def test_one_namespace_is_not_another():
    logs = LogUse("a", 20 * MIB, 0), LogUse("b", MIB, 0)
    assert stands("a", *logs).refusal
    assert stands("b", *logs, others={"a": 20 * MIB}) == stands("nobody", *logs)
    assert not stands("b", *logs).is_short


def test_what_nobody_needs_goes_before_anybody_is_refused():
    found = stands("a", LogUse("a", 2 * MIB, 9 * MIB))
    assert found.is_short
    assert found.refusal == ""


@pytest.mark.parametrize(("text", "most"), [("0", 0), ("2Gi", 2 * 1024 * MIB), ("500M", 5 * 10**8)])
def test_a_limit_is_a_quantity(text, most):
    assert read_most(text) == most


@pytest.mark.parametrize("text", ["much", "-1", "1 Gi", ""])
def test_anything_else_is_no_limit(text):
    with pytest.raises(ValueError):
        read_most(text)
