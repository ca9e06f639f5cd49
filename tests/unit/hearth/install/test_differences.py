"""Changes as text."""

from __future__ import annotations

from hearth.install.differences import difference


def test_what_only_the_server_says_is_no_change() -> None:
    before = {"kind": "Pod", "metadata": {"name": "a", "resourceVersion": "1"}, "status": {"x": 1}}
    after = {"kind": "Pod", "metadata": {"name": "a", "resourceVersion": "2", "uid": "u"}}
    assert difference("pod a", before, after) == ""


def test_a_change_is_a_unified_diff() -> None:
    before = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "old"}}
    text = difference("configmap a", before, before | {"data": {"k": "new"}})
    assert "--- configmap a (is)" in text and "+++ configmap a (would be)" in text
    assert "-  k: old" in text and "+  k: new" in text


def test_a_new_object_is_all_additions() -> None:
    text = difference("pod a", None, {"kind": "Pod", "metadata": {"name": "a"}})
    assert "+kind: Pod" in text


def test_what_a_secret_holds_is_not_shown() -> None:
    before = {"kind": "Secret", "metadata": {"name": "a"}, "data": {"token": "czNjcjN0"}}
    after = before | {"data": {"token": "b3RoZXI=", "more": "eA=="}}
    text = difference("secret a", before, after)
    assert "czNjcjN0" not in text and "b3RoZXI=" not in text
    assert "+  more: (not shown)" in text
