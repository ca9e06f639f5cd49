from __future__ import annotations

from collections.abc import Callable

import pytest

from hearth.cluster.lifecycle.gc import Fate, blocking, judge, unlinked
from hearth.cluster.model.objects import Entry, Key, Owner


def an_owner(uid: str, *, foreground: bool = False, namespace: str = "n") -> Entry:
    finalizers = ("foregroundDeletion",) if foreground else ()
    return Entry(Key("owners", namespace, uid), 1, b"", uid, {}, (), finalizers, foreground)


def a_dependent(*uids: str, blocks: bool = False) -> Entry:
    owners = tuple(Owner(uid, "Owner", uid, "v1", blocks) for uid in uids)
    return Entry(Key("pods", "n", "p"), 1, b"", "p", {}, owners)


def finding(*owners: Entry) -> Callable[[str], Entry | None]:
    return {owner.uid: owner for owner in owners}.get


@pytest.mark.parametrize(
    ("owners", "there", "has_dependents", "fate"),
    [
        pytest.param([], [], False, Fate.KEEP, id="no owner"),
        pytest.param(["a"], [an_owner("a")], False, Fate.KEEP, id="owner is there"),
        pytest.param(["a"], [], False, Fate.DELETE, id="owner is gone"),
        pytest.param(["a", "b"], [an_owner("b")], False, Fate.UNLINK, id="one of two is gone"),
        pytest.param(["a", "b"], [], True, Fate.DELETE, id="both are gone"),
        pytest.param(
            ["a"], [an_owner("a", foreground=True)], False, Fate.DELETE, id="owner waits for it"
        ),
        pytest.param(
            ["a"],
            [an_owner("a", foreground=True)],
            True,
            Fate.DELETE_FOREGROUND,
            id="owner waits, and it has dependents",
        ),
        pytest.param(
            ["a"], [an_owner("a", namespace="other")], False, Fate.DELETE, id="other namespace"
        ),
        pytest.param(["a"], [an_owner("a", namespace="")], False, Fate.KEEP, id="cluster-scoped"),
    ],
)
def test_the_fate_of_a_dependent(
    owners: list[str], there: list[Entry], has_dependents: bool, fate: Fate
) -> None:
    verdict = judge(a_dependent(*owners), finding(*there), has_dependents=has_dependents)
    assert verdict.fate is fate


def test_only_blocking_dependents_hold_a_foreground_deletion() -> None:
    owner = an_owner("a", foreground=True)
    holding, other = a_dependent("a", blocks=True), a_dependent("a")
    assert blocking(owner, [holding, other]) == [holding]


def test_unlinking_leaves_the_other_owners() -> None:
    obj = {"metadata": {"ownerReferences": [{"uid": "a"}, {"uid": "b"}]}}
    changed = unlinked(obj, frozenset(["a"]))
    assert changed is not None
    assert changed["metadata"]["ownerReferences"] == [{"uid": "b"}]
    last = unlinked(changed, frozenset(["b"]))
    assert last is not None
    assert "ownerReferences" not in last["metadata"]
    assert unlinked(last, frozenset(["b"])) is None
