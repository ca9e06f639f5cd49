"""Overlays and values together, and the record of them."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from hearth.install.bundle import Choice, laid_over, objects_of, record, recorded
from hearth.install.kustomize import KustomizeError
from hearth.install.order import VERSION
from hearth.install.values import InvalidValues
from hearth.kube.meta import Object, name

CONFIG = Path(__file__).parents[4] / "config"


def one(objects: list[Object], kind: str, title: str) -> Any:
    return next(o for o in objects if (o["kind"], name(o)) == (kind, title))


def test_overlays_are_combined_and_values_win() -> None:
    choice = Choice(("ha", "nodeport"), {"control": {"replicas": 3}})
    objects = objects_of(CONFIG, choice)
    assert one(objects, "Service", "hearth-gateway")["spec"]["type"] == "NodePort"
    assert one(objects, "Deployment", "hearth-control")["spec"]["replicas"] == 3
    assert one(objects, "HorizontalPodAutoscaler", "hearth-activator")["spec"]["minReplicas"] == 3


def test_a_folder_of_ones_own_is_an_overlay(tmp_path: Path) -> None:
    content = {"resources": [str(CONFIG / "base")], "labels": [{"pairs": {"team": "x"}}]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
    objects = objects_of(CONFIG, Choice((str(tmp_path), "small")))
    assert all(obj["metadata"]["labels"]["team"] == "x" for obj in objects)
    assert one(objects, "HorizontalPodAutoscaler", "hearth-activator")["spec"]["maxReplicas"] == 1


def test_an_overlay_that_is_not_there_names_those_there_are() -> None:
    with pytest.raises(
        KustomizeError,
        match=r"dispatchers, external-scaler, ha, .*, serverlessservices, servicebinding, small",
    ):
        objects_of(CONFIG, Choice(("big",)))


def test_values_are_checked() -> None:
    with pytest.raises(InvalidValues, match=r"control\.replicas"):
        objects_of(CONFIG, Choice((), {"control": {"replicas": "many"}}))


def test_what_runs_is_of_this_version() -> None:
    here = version("hearth-serving")
    workloads = [o for o in objects_of(CONFIG, Choice()) if "template" in o.get("spec", {})]
    assert len(workloads) == 3
    for obj in workloads:
        template = obj["spec"]["template"]
        assert obj["metadata"]["labels"][VERSION] == template["metadata"]["labels"][VERSION] == here
        assert template["spec"]["containers"][0]["image"] == f"hearth:{here}"


def test_a_choice_is_read_as_it_was_recorded() -> None:
    choice = Choice(("ha",), {"gateway": {"annotations": {"a": "b"}}})
    assert recorded(record(choice, "1.0"), "1.1") == choice
    assert recorded(None, "1.1") == Choice()


@pytest.mark.parametrize(
    ("image", "then"),
    [
        ("registry:5000/hearth:1.0", "registry:5000/hearth:1.1"),
        ("registry/hearth:mine", "registry/hearth:mine"),
    ],
)
def test_an_image_of_the_last_version_is_that_of_this_one(image: str, then: str) -> None:
    assert recorded(record(Choice((), {"image": image}), "1.0"), "1.1").values == {"image": then}


def test_a_choice_goes_on_with_what_was_chosen_before() -> None:
    last = Choice(("ha",), {"image": "a", "control": {"replicas": 3}})
    assert laid_over(last, Choice()) == last
    assert laid_over(last, Choice((), {"image": "b"})) == Choice(
        ("ha",), {"image": "b", "control": {"replicas": 3}}
    )
    assert laid_over(last, Choice(("small",))).overlays == ("small",)
    assert objects_of(CONFIG, laid_over(Choice(("ha",)), Choice(("none",)))) == objects_of(
        CONFIG, Choice()
    )


@pytest.mark.parametrize("folder", ["../crds", "serving", "eventing"])
def test_a_kustomization_names_every_file_beside_it(folder: str) -> None:
    there = {path.name for path in (CONFIG / folder).glob("*.yaml")} - {"kustomization.yaml"}
    content = yaml.safe_load((CONFIG / folder / "kustomization.yaml").read_text())
    assert set(content["resources"]) == there
