from __future__ import annotations

import orjson
import pytest

from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model import objects
from hearth.cluster.model.objects import Change, Entry, Key
from hearth.cluster.model.served import serve
from hearth.cluster.model.status import ApiStatus
from hearth.cluster.rest.handlers.watching import transition
from hearth.cluster.rest.selection import select

PODS = serve(next(kind for kind in KINDS if kind.plural == "pods"))


def a_pod(name: str = "p", phase: str = "Running", **labels: str) -> Entry:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "n", "labels": labels},
        "spec": {},
        "status": {"phase": phase},
    }
    key = Key("pods", "n", name)
    return objects.make_entry(key, 1, objects.encode(pod, 1))


@pytest.mark.parametrize(
    ("labels", "fields", "expected"),
    [
        ("", "", True),
        ("a=b", "", True),
        ("a!=b", "", False),
        ("", "metadata.name=p", True),
        ("", "metadata.name!=p", False),
        ("", "status.phase=Running", True),
        ("", "spec.nodeName!=,status.phase=Running", False),
        ("a in (b,c)", "metadata.namespace=n", True),
    ],
)
def test_what_is_selected(labels: str, fields: str, expected: bool) -> None:
    selection = select(PODS, labels, fields, namespace="n")
    assert selection.matches(a_pod(a="b")) is expected


def test_another_namespace_is_not_selected() -> None:
    assert not select(PODS, "", "", namespace="m").matches(a_pod())


def test_fields_that_cannot_be_selected_are_refused() -> None:
    with pytest.raises(ApiStatus, match=r"field label not supported: spec\.image"):
        select(PODS, "", "spec.image=x", namespace="")


@pytest.mark.parametrize(
    ("before", "now", "deleted", "event"),
    [
        pytest.param(None, a_pod(a="b"), False, "ADDED", id="new"),
        pytest.param(None, a_pod(), False, None, id="new elsewhere"),
        pytest.param(a_pod(a="b"), a_pod(a="b"), False, "MODIFIED", id="stays"),
        pytest.param(a_pod(), a_pod(a="b"), False, "ADDED", id="comes in"),
        pytest.param(a_pod(a="b"), a_pod(), False, "DELETED", id="leaves"),
        pytest.param(a_pod(a="b"), a_pod(a="b"), True, "DELETED", id="goes"),
        pytest.param(a_pod(), a_pod(), True, None, id="goes elsewhere"),
    ],
)
def test_changes_as_seen_through_a_selector(
    before: Entry | None, now: Entry, deleted: bool, event: str | None
) -> None:
    selection = select(PODS, "a=b", "", namespace="n")
    assert transition(Change(now, before, deleted), selection) == event


def test_list_items_of_built_in_kinds_have_no_type() -> None:
    item = orjson.loads(PODS.item(a_pod()))
    assert "kind" not in item
    assert item["metadata"]["name"] == "p"
