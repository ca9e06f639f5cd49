from __future__ import annotations

import pytest

from hearth.cluster.codec import paths
from hearth.cluster.model.status import ApiStatus
from hearth.cluster.operations import options
from hearth.cluster.operations.options import DeleteOptions


def refusal_of_list(query: str) -> str:
    with pytest.raises(ApiStatus) as refusal:
        options.list_options(paths.parse_query(query))
    return refusal.value.message


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("resourceVersionMatch=Exact", "is forbidden unless resourceVersion is provided"),
        ("resourceVersionMatch=Exact&resourceVersion=0", 'is forbidden for resourceVersion "0"'),
        ("resourceVersionMatch=Newer&resourceVersion=3", 'Unsupported value: "Newer"'),
        ("sendInitialEvents=true", "sendInitialEvents is forbidden for list"),
        (
            "watch=1&sendInitialEvents=true",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            "watch=1&resourceVersionMatch=NotOlderThan",
            "is forbidden for watch unless sendInitialEvents is provided",
        ),
        ("resourceVersion=x", "invalid resource version"),
        ("resourceVersion=%EF%BC%97", "invalid syntax"),
        ("resourceVersion=" + "9" * 5000, "invalid"),
        ("limit=1_0", 'strconv.ParseInt: parsing "1_0": invalid syntax'),
        ("limit=%EF%BC%97", 'strconv.ParseInt: parsing "７": invalid syntax'),
        ("limit=%2010", 'strconv.ParseInt: parsing " 10": invalid syntax'),
        ("limit=many", 'strconv.ParseInt: parsing "many": invalid syntax'),
    ],
)
def test_list_options_that_make_no_sense(query: str, complaint: str) -> None:
    assert complaint in refusal_of_list(query)


def test_a_watch_from_a_revision() -> None:
    found = options.list_options(paths.parse_query("watch=true&resourceVersion=7&timeoutSeconds=3"))
    assert (found.watch, found.revision, found.timeout_seconds) == (True, 7, 3)


def test_dry_run_takes_all_and_nothing_else() -> None:
    query = "dryRun=All"
    assert options.write_options(paths.parse_query(query), query, "CreateOptions").dry_run
    query = "dryRun=Some"
    with pytest.raises(ApiStatus) as refusal:
        options.write_options(paths.parse_query(query), query, "CreateOptions")
    assert refusal.value.message == (
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: '
        'supported values: "All"'
    )


def test_apply_needs_a_manager_and_other_patches_take_no_force() -> None:
    query = "force=true"
    given = options.write_options(paths.parse_query(query), query, "PatchOptions")
    with pytest.raises(ApiStatus, match="fieldManager: Required value"):
        options.check_patch_options(given, is_apply=True)
    with pytest.raises(ApiStatus, match="may not be specified for non-apply patch"):
        options.check_patch_options(given, is_apply=False)


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        pytest.param("", None, DeleteOptions(), id="none"),
        pytest.param(
            "gracePeriodSeconds=0&propagationPolicy=Orphan",
            None,
            DeleteOptions(grace_period_seconds=0, propagation_policy="Orphan"),
            id="query",
        ),
        pytest.param(
            "gracePeriodSeconds=5",
            {"propagationPolicy": "Foreground", "preconditions": {"uid": "u"}},
            DeleteOptions(propagation_policy="Foreground", uid="u"),
            id="the body wins",
        ),
        pytest.param(
            "orphanDependents=true", None, DeleteOptions(propagation_policy="Orphan"), id="old form"
        ),
    ],
)
def test_delete_options(query: str, body: object, expected: DeleteOptions) -> None:
    assert options.delete_options(paths.parse_query(query), query, body) == expected


def test_an_unknown_propagation_policy_is_refused() -> None:
    with pytest.raises(ApiStatus, match='Unsupported value: "Later"'):
        options.delete_options({"propagationPolicy": "Later"}, "", None)


def test_field_managers_are_printable() -> None:
    with pytest.raises(ApiStatus, match=r"invalid character U\+0007 \(at position 1\)") as refusal:
        options.write_options({"fieldManager": "a\x07"}, "fieldManager=a%07", "CreateOptions")
    assert refusal.value.code == 422
