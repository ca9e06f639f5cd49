"""Three ways to the same objects: our renderer, kubectl's kustomize and Helm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hearth.install.bundle import Choice, objects_of
from hearth.install.chart import KEEP, OPTIONAL, SIZES
from hearth.install.kustomize import render
from hearth.install.order import identity
from hearth.kube.meta import Object
from tests.e2e.support import kubectl_binary

CONFIG = Path(__file__).parents[3] / "config"
CHART = CONFIG / "helm" / "hearth"
HELM = Path(__file__).with_name("helm.py")

GIVEN: list[dict[str, Any]] = [
    {},
    {
        "image": "registry.example:5000/hearth@sha256:00",
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "control": {"replicas": 3, "resources": {"limits": {"memory": "2Gi", "cpu": "1"}}},
        "gateway": {
            "type": "NodePort",
            "nodePort": 30080,
            "tlsNodePort": 30443,
            "annotations": {"a/b": 'x: "{{y}}"'},
        },
        "broker": {"storage": {"className": "fast", "size": "20Gi"}},
        "config": {
            "serving": {
                "config-domain": {"example.org": "selector:\n  app: x\n"},
                "config-logging": {"loglevel.controller": "debug"},
            },
            "eventing": {"config-features": {"delivery-timeout": None, "kreference-group": "yes"}},
        },
    },
]


SIZED = {"dispatchers": {"minReplicas": 3}}
OVERLAYS = (*SIZES, *OPTIONAL, "serverlessservices", "servicebinding")
"""The last two change a Deployment of the base, which a part of the chart cannot."""


def _sorted(objects: list[Object]) -> list[Object]:
    return sorted(objects, key=identity)


def _helm(requests: list[dict[str, Any]]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(HELM), str(CHART)],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def helm() -> dict[str, Any]:
    sizes = [yaml.safe_load((CHART / f"values-{each}.yaml").read_text()) for each in SIZES]
    wrong: list[dict[str, Any]] = [{"control": {"replicas": "two"}}, {"contrl": {}}]
    chosen = [
        {**GIVEN[1], value: {"enabled": True, **SIZED.get(value, {"replicas": 2})}}
        for value, _ in OPTIONAL.values()
    ]
    return _helm([*GIVEN, *sizes, *chosen, *wrong])


def _without_keep(objects: list[Object]) -> list[Object]:
    """What Helm is told to keep says so; that is all that tells the chart's objects from ours."""
    kept = [obj for obj in objects if (obj["metadata"].get("annotations") or {}) == KEEP]
    assert {obj["kind"] for obj in kept} == {"CustomResourceDefinition", "Namespace"}
    for obj in kept:
        del obj["metadata"]["annotations"]
    return objects


@pytest.mark.parametrize("folder", ["base", *(f"overlays/{each}" for each in OVERLAYS)])
@pytest.mark.kubectl
def test_kubectl_renders_the_same_objects(folder: str) -> None:
    done = subprocess.run(
        [kubectl_binary(), "kustomize", str(CONFIG / folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    theirs = [obj for obj in yaml.safe_load_all(done.stdout) if obj]
    assert _sorted(theirs) == _sorted(render(CONFIG / folder))


def test_every_component_has_an_overlay() -> None:
    components = {path.name for path in (CONFIG / "components").iterdir()}
    assert components == {path.name for path in (CONFIG / "overlays").iterdir()} == {*OVERLAYS}
    for each in components:
        ours = objects_of(CONFIG, Choice((each,)))
        assert _sorted(ours) == _sorted(render(CONFIG / "overlays" / each))


def test_helm_finds_no_fault_with_the_chart(helm: dict[str, Any]) -> None:
    assert helm["lint"]["errors"] == []
    faults = [message for message in helm["lint"]["messages"] if message["severity"] > 1]
    assert faults == []


@pytest.mark.parametrize("number", range(len(GIVEN)))
def test_helm_renders_the_objects_that_hearth_install_applies(
    helm: dict[str, Any], number: int
) -> None:
    ours = objects_of(CONFIG, Choice((), GIVEN[number]))
    theirs = _without_keep(helm["answers"][number]["objects"])
    assert _sorted(theirs) == _sorted(ours)


@pytest.mark.parametrize("number", range(len(SIZES)))
def test_the_charts_sizes_are_the_overlays(helm: dict[str, Any], number: int) -> None:
    theirs = _without_keep(helm["answers"][len(GIVEN) + number]["objects"])
    assert _sorted(theirs) == _sorted(objects_of(CONFIG, Choice((SIZES[number],))))


@pytest.mark.parametrize(
    ("component", "deployment"),
    [("keda", "keda-operator"), ("external-scaler", "hearth-external-scaler")],
)
def test_helm_brings_a_component_along_when_it_is_asked(
    helm: dict[str, Any], component: str, deployment: str
) -> None:
    value, _ = OPTIONAL[component]
    ours = objects_of(CONFIG, Choice((component,), {**GIVEN[1], value: {"replicas": 2}}))
    [found] = [obj for obj in ours if obj["metadata"]["name"] == deployment and
               obj["kind"] == "Deployment"]  # fmt: skip
    assert found["spec"]["replicas"] == 2
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == GIVEN[1]["image"]
    theirs = helm["answers"][len(GIVEN) + len(SIZES) + list(OPTIONAL).index(component)]
    assert _sorted(_without_keep(theirs["objects"])) == _sorted(ours)


def test_helm_refuses_what_hearth_install_refuses(helm: dict[str, Any]) -> None:
    wrong, unknown = helm["answers"][-2:]
    assert "/control/replicas" in wrong["error"]
    assert "contrl" in unknown["error"]


def test_the_notes_say_how_to_go_on(helm: dict[str, Any]) -> None:
    default, internal = helm["answers"][0], helm["answers"][len(GIVEN) + SIZES.index("internal")]
    assert "curl -H" in default["notes"]
    assert "inside the cluster only" not in default["notes"]
    assert "inside the cluster only" in internal["notes"]
