"""Fields in the words of field managers' conflicts."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.install.fieldpaths import Held, held_fields, without_field
from hearth.kube.errors import Conflict


def container(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


@pytest.mark.parametrize(
    ("obj", "path", "left"),
    [
        pytest.param({"a": {"b": 1, "c": 2}}, ".a.b", {"a": {"c": 2}}, id="nested"),
        pytest.param({"l": {"a.b/c": 1, "a": 2}}, ".l.a.b/c", {"l": {"a": 2}}, id="key-with-dots"),
        pytest.param(
            {"c": [container("x", image="1"), container("y", image="2")]},
            '.c[name="y"].image',
            {"c": [container("x", image="1"), container("y")]},
            id="keyed",
        ),
        pytest.param(
            {"p": [{"port": 80, "protocol": "TCP", "n": 1}, {"port": 80, "protocol": "UDP"}]},
            '.p[port=80,protocol="TCP"].n',
            {"p": [{"port": 80, "protocol": "TCP"}, {"port": 80, "protocol": "UDP"}]},
            id="two-keys",
        ),
        pytest.param({"f": ["a", "b"]}, '.f[="a"]', {"f": ["b"]}, id="set"),
        pytest.param(
            {"c": [container("x"), container("y")]},
            '.c[name="x"]',
            {"c": [container("y")]},
            id="whole-item",
        ),
        pytest.param({"a": 1}, ".b.c", {"a": 1}, id="absent"),
    ],
)
def test_a_field_is_left_out(obj: Any, path: str, left: Any) -> None:
    before = repr(obj)
    assert without_field(obj, path) == left
    assert repr(obj) == before


def test_a_conflict_tells_which_fields_whose_are() -> None:
    cause = {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "kubectl-edit" using apps/v1',
        "field": ".spec.replicas",
    }
    conflict = Conflict({"code": 409, "details": {"causes": [cause]}})
    assert held_fields(conflict) == [Held(".spec.replicas", "kubectl-edit")]
    assert held_fields(Conflict({"code": 409})) == []
