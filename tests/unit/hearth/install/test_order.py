"""What comes before what, and what is no longer wanted."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hearth.install.order import describe, is_ours, left_over, ordered


def obj(kind: str, name: str = "x", namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


KINDS = ("Namespace", "CustomResourceDefinition", "Secret", "Deployment", "Ingress")


@given(st.permutations(KINDS))
def test_what_others_need_comes_first(kinds: list[str]) -> None:
    assert [each["kind"] for each in ordered(map(obj, kinds))] == list(KINDS)


def test_what_asks_about_writes_comes_after_what_answers() -> None:
    kinds = ["ValidatingWebhookConfiguration", "Service", "Deployment"]
    assert ordered(map(obj, kinds))[-1]["kind"] == "ValidatingWebhookConfiguration"


def test_what_this_version_does_not_have_is_left_over_last_things_first() -> None:
    present = [obj("Namespace"), obj("Secret"), obj("Service", "old"), obj("Service", "kept")]
    assert left_over(present, [obj("Service", "kept")]) == [obj("Service", "old"), obj("Secret")]


def test_objects_are_described_as_kubectl_does() -> None:
    assert describe(obj("Deployment", "d", "n")) == "deployment n/d"
    assert describe(obj("ClusterRole", "r")) == "clusterrole r"


def test_ours_is_what_carries_the_label() -> None:
    assert is_ours({"metadata": {"labels": {"app.kubernetes.io/part-of": "hearth"}}})
    assert not is_ours({"metadata": {}})
