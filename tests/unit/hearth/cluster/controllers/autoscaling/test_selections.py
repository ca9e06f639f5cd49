from __future__ import annotations

from hearth.cluster.controllers.autoscaling.selections import Selections
from hearth.kube.selectors import parse_label_selector
from tests.unit.hearth.cluster.controllers.autoscaling.builders import a_pod

WEB, ANY = ("test", "web"), ("test", "any")


def test_autoscalers_of_a_pod_are_found_by_any_kind_of_selector() -> None:
    selections = Selections()
    selections.put(WEB, parse_label_selector("app=web,tier!=back"))
    selections.put(ANY, parse_label_selector("app in (web,shop)"))
    selections.put(("else", "web"), parse_label_selector("app=web"))
    assert selections.of("test", [a_pod("p")]) == [ANY, WEB]
    assert selections.of("test", [a_pod("p", labels={"app": "shop"})]) == [ANY]
    selections.put(ANY, parse_label_selector("app=shop"))
    selections.drop(WEB)
    assert selections.of("test", [a_pod("p")]) == []
