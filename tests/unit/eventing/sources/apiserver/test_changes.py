"""From the words of a watch to what happened."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.sources.apiserver.changes import Change, Changes

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
