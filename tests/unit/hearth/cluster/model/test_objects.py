from __future__ import annotations

import tracemalloc

import orjson

from hearth.cluster.model import objects
from hearth.cluster.model.objects import Key
from hearth.likeness import Likeness


def a_pod() -> objects.Object:
    return {
        "kind": "Pod",
        "spec": {"x": '"metadata":{"resourceVersion":"9"'},
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"a": "b"}},
        "apiVersion": "v1",
    }


def test_stored_bytes_begin_with_type_and_version() -> None:
    value = objects.encode(a_pod(), 7)
    assert value.startswith(objects.head("v1", "Pod") + b'"metadata":{"resourceVersion":"7"')


def test_another_version_changes_nothing_else() -> None:
    value = objects.with_revision(objects.encode(a_pod(), 7), 123)
    assert orjson.loads(value) == orjson.loads(objects.encode(a_pod(), 123))


def test_an_entry_knows_labels_owners_and_finalizers() -> None:
    pod = a_pod()
    pod["metadata"] |= {
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "X", "name": "o", "uid": "ou", "blockOwnerDeletion": True}
        ],
        "finalizers": ["f"],
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }
    entry = objects.make_entry(Key("pods", "n", "p"), 7, objects.encode(pod, 7))
    assert entry.labels == {"a": "b"}
    assert entry.owners == (objects.Owner("ou", "X", "o", "v1", True),)
    assert entry.finalizers == ("f",)
    assert entry.deleting


def test_keys_have_a_text_that_leads_back() -> None:
    for key in (Key("pods", "n", "p"), Key("namespaces", "", "n"), Key("widgets.x.io", "a", "b")):
        assert objects.parse_key(key.text) == key


def test_stored_bytes_take_no_more_room_than_they_are_long() -> None:
    pods = [a_pod() | {"spec": {"x": "y" * 3000}} for _ in range(50)]
    tracemalloc.start()
    try:
        values = [objects.encode(pod, 7) for pod in pods]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 1.2 * sum(map(len, values))


def test_a_packed_entry_reads_as_before_and_is_smaller() -> None:
    pod = a_pod() | {"spec": {"x": "y" * 3000}}
    value = objects.encode(pod, 7)
    entry = objects.make_entry(Key("pods", "n", "p"), 7, value)
    size = objects.Change(entry, entry, deleted=False).size
    alike = Likeness()
    for _ in range(2):
        entry.pack(alike)
        assert len(entry.held) < len(value) / 3
        assert entry.value == value
        assert entry.parse() == orjson.loads(value)
        assert objects.Change(entry, entry, deleted=False).size == size


def test_what_cannot_be_made_smaller_stays_as_it_is() -> None:
    entry = objects.make_entry(Key("x", "", "x"), 7, b'{"metadata":{}}')
    entry.pack(Likeness())
    assert entry.value == entry.held == b'{"metadata":{}}'
