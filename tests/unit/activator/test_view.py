"""What the data plane asks of the cluster's objects, from caches alone."""

from typing import Any

import pytest

from activator.view import KubernetesView
from serving.api import keys


@pytest.mark.parametrize(
    "own, judged", [({keys.ROLLBACK: "errors>5%"}, True), ({}, False), (None, False)]
)
def test_a_service_is_judged_where_its_ingress_asks_for_it(
    own: Any, judged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody: Any = None  # it is not asked
    view = KubernetesView(nobody)
    ingress = {"metadata": {"name": "shop", "namespace": "ns", "annotations": own}}
    monkeypatch.setattr(view.ingresses, "get", lambda *at: {("ns", "shop"): ingress}.get(at))
    assert view.is_judged("ns", "shop") is judged
    assert not view.is_judged("ns", "other")
