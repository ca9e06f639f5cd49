"""From the words of a watch to what happened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.sources.apiserver.changes import Change, Changes, Listing

SINCE = 1_764_000_000.5
OLD, SAME, NEW = "2025-11-24T15:59:00Z", "2025-11-24T16:00:00Z", "2025-11-24T16:00:01Z"


def obj(version: str = "1", *, uid: str = "u", created: str = OLD) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": version, "creationTimestamp": created}}


def test_the_life_of_an_object() -> None:
    changes = Changes()
    assert changes.take("ADDED", obj("1")) is Change.ADD
    assert changes.take("MODIFIED", obj("2")) is Change.UPDATE
    assert changes.take("DELETED", obj("3")) is Change.DELETE
    assert changes.take("ADDED", obj("4", uid="again")) is Change.ADD


@pytest.mark.parametrize("created", [OLD, SAME, NEW, ""])
def test_what_a_first_list_has_was_there_before(created: str) -> None:
    assert Changes().take(None, obj(created=created), since=None) is None


@pytest.mark.parametrize(
    ("created", "told"), [(OLD, None), (SAME, None), (NEW, Change.ADD), ("", None)]
)
def test_what_a_later_list_has_is_new_if_it_is_newer(created: str, told: Any) -> None:
    assert Changes().take(None, obj(created=created), since=SINCE) is told


def test_a_later_list_tells_what_changed_meanwhile() -> None:
    changes = Changes()
    changes.take(None, obj("1"))
    assert changes.take(None, obj("1"), since=SINCE) is None
    assert changes.take(None, obj("5"), since=SINCE) is Change.UPDATE
    assert changes.take("MODIFIED", obj("5"), since=SINCE) is None, "told already"


def test_labels_that_come_and_go() -> None:
    changes = Changes()
    assert changes.take("ADDED", obj("1"), selected=False) is None
    assert changes.take("MODIFIED", obj("2")) is Change.ADD
    assert changes.take("MODIFIED", obj("3"), selected=False) is Change.DELETE
    assert changes.take("DELETED", obj("4"), selected=False) is None


def in_namespace(uid: str, where: str) -> dict[str, Any]:
    metadata = {"uid": uid, "name": f"n{uid}", "namespace": where, "resourceVersion": "7"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def test_what_a_list_does_not_have_any_more_is_gone_once() -> None:
    changes = Changes()
    for uid in ("1", "2", "3"):
        changes.take("ADDED", in_namespace(uid, "one"))
    changes.take("ADDED", in_namespace("4", "two"))
    changes.take("ADDED", in_namespace("5", "one"), selected=False)
    [gone] = changes.gone({"1", "3"}, "one")
    assert gone == in_namespace("2", "one")
    assert changes.gone({"1", "3"}, "one") == []
    assert changes.take("DELETED", in_namespace("2", "one")) is None, "told already"
    both = changes.gone({"1"}, None)
    assert {each["metadata"]["uid"] for each in both} == {"3", "4"}


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_after_a_list_only_what_it_has_is_known(before: set[int], listed: set[int]) -> None:
    changes = Changes()
    for uid in before:
        changes.take("ADDED", in_namespace(f"{uid}", "one"))
    gone = changes.gone({f"{each}" for each in listed}, "one")
    assert {int(each["metadata"]["uid"]) for each in gone} == before - listed
    assert changes.gone(frozenset(), None) == [
        in_namespace(f"{each}", "one") for each in before if each in listed
    ]


def page(*uids: str, following: str = "") -> dict[str, Any]:
    metadata = {"continue": following} if following else {}
    return {"metadata": metadata, "items": [obj(uid=each) for each in uids]}


def test_a_list_in_pieces_is_whole_with_the_last_one() -> None:
    listing = Listing()
    assert listing.take(page("1", following="x"), is_first=True) is None
    assert listing.take(page("2"), is_first=False) == {"1", "2"}
    # It begins anew where a place in it was forgotten meanwhile.
    assert listing.take(page("1", following="x"), is_first=True) is None
    assert listing.take(page("3", following="y"), is_first=True) is None
    assert listing.take(page("4"), is_first=False) == {"3", "4"}
    assert listing.take(page(), is_first=True) == set()
