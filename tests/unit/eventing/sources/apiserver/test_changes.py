"""From the words of a watch to what happened."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.sources.apiserver.changes import Change, Changes

BEGAN = 1_764_000_000.0
OLD, NEW = "2025-11-24T15:59:00Z", "2025-11-24T16:00:01Z"


def obj(version: str = "1", *, uid: str = "u", created: str = OLD) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": version, "creationTimestamp": created}}


def test_the_life_of_an_object() -> None:
    changes = Changes(BEGAN)
    assert changes.take("ADDED", obj("1")) is Change.ADD
    assert changes.take("MODIFIED", obj("2")) is Change.UPDATE
    assert changes.take("DELETED", obj("3")) is Change.DELETE
    assert changes.take("ADDED", obj("4", uid="again")) is Change.ADD


@pytest.mark.parametrize(("created", "told"), [(OLD, None), (NEW, Change.ADD), ("", None)])
def test_what_a_first_list_has_was_there_before_unless_it_is_newer(created: str, told: Any) -> None:
    assert Changes(BEGAN).take(None, obj(created=created)) is told


def test_a_later_list_tells_what_changed_meanwhile() -> None:
    changes = Changes(BEGAN)
    changes.take(None, obj("1"))
    assert changes.take(None, obj("1")) is None
    assert changes.take(None, obj("5")) is Change.UPDATE
    assert changes.take(None, obj("6", uid="v", created=NEW)) is Change.ADD
    assert changes.take("MODIFIED", obj("5")) is None, "told already"


def test_labels_that_come_and_go() -> None:
    changes = Changes(BEGAN)
    assert changes.take("ADDED", obj("1"), selected=False) is None
    assert changes.take("MODIFIED", obj("2")) is Change.ADD
    assert changes.take("MODIFIED", obj("3"), selected=False) is Change.DELETE
    assert changes.take("DELETED", obj("4"), selected=False) is None
