"""What is understood of kustomize, and that the rest is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hearth.install.kustomize import KustomizeError, is_component, render

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "n"},
    "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "reg:5000/app:1"}]}}},
}


def folder(path: Path, content: dict[str, Any], **files: Any) -> Path:
    path.mkdir(parents=True)
    (path / "kustomization.yaml").write_text(yaml.safe_dump(content))
    for name, objects in files.items():
        (path / f"{name}.yaml").write_text(yaml.safe_dump_all(objects))
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return folder(tmp_path / "base", {"resources": ["all.yaml"]}, all=[MAP, DEPLOYMENT])


def test_resources_are_files_and_folders(base: Path, tmp_path: Path) -> None:
    over = folder(tmp_path / "over", {"resources": ["../base"]})
    assert render(over) == [MAP, DEPLOYMENT]


def test_a_patch_changes_its_targets_alone(base: Path, tmp_path: Path) -> None:
    patch = yaml.safe_dump([{"op": "add", "path": "/data/b", "value": "2"}])
    entry = {"target": {"kind": "ConfigMap", "name": "m.*"}, "patch": patch}
    over = folder(tmp_path / "over", {"resources": ["../base"], "patches": [entry]})
    patched, other = render(over)
    assert patched["data"] == {"a": "1", "b": "2"}
    assert other == DEPLOYMENT


def test_components_lie_over_what_is_below_in_their_order(base: Path, tmp_path: Path) -> None:
    def component(name: str, value: str) -> Path:
        patch = yaml.safe_dump([{"op": "replace", "path": "/data/a", "value": value}])
        entry = {"target": {"kind": "ConfigMap"}, "patch": patch}
        return folder(tmp_path / name, {"kind": "Component", "patches": [entry]})

    one, two = component("one", "x"), component("two", "y")
    assert is_component(one) and not is_component(base)
    assert render(base, [one, two])[0]["data"] == {"a": "y"}
    over = folder(tmp_path / "over", {"resources": ["../base"], "components": ["../two"]})
    assert render(over)[0]["data"] == {"a": "y"}


def test_labels_are_added_to_objects(base: Path, tmp_path: Path) -> None:
    content = {"resources": ["../base"], "labels": [{"pairs": {"k": "v"}}]}
    for obj in render(folder(tmp_path / "over", content)):
        assert obj["metadata"]["labels"] == {"k": "v"}


@pytest.mark.parametrize(
    ("change", "image"),
    [
        ({"newTag": "2"}, "reg:5000/app:2"),
        ({"newName": "other"}, "other:1"),
        ({"digest": "sha256:ab"}, "reg:5000/app@sha256:ab"),
    ],
)
def test_images_are_renamed(base: Path, tmp_path: Path, change: Any, image: str) -> None:
    content = {"resources": ["../base"], "images": [{"name": "reg:5000/app", **change}]}
    changed = render(folder(tmp_path / "over", content))[1]
    assert changed["spec"]["template"]["spec"]["containers"][0]["image"] == image


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"namePrefix": "x-"}, "namePrefix is not understood"),
        ({"patches": [{"patch": "a: 1", "target": {}}]}, "only JSON patches"),
        ({"patches": [{"patch": "[]", "target": {"kind": "Pod"}}]}, "finds no"),
        ({"patches": [{"patch": "[]", "target": {"labelSelector": "a=b"}}]}, "labelSelector"),
        ({"labels": [{"pairs": {}, "includeSelectors": True}]}, "only labels of objects"),
        ({"resources": ["../base", "../base"]}, "is there twice"),
        ({"resources": ["none.yaml"]}, "none.yaml"),
    ],
)
def test_what_is_not_understood_is_refused(
    base: Path, tmp_path: Path, content: dict[str, Any], words: str
) -> None:
    over = folder(tmp_path / "over", {"resources": ["../base"], **content})
    with pytest.raises(KustomizeError, match=words):
        render(over)


def test_a_patch_that_does_not_fit_names_its_place(base: Path, tmp_path: Path) -> None:
    patch = yaml.safe_dump([{"op": "replace", "path": "/none/at/all", "value": 1}])
    entry = {"target": {"kind": "ConfigMap"}, "patch": patch}
    over = folder(tmp_path / "over", {"resources": ["../base"], "patches": [entry]})
    with pytest.raises(KustomizeError, match=r"over/kustomization.yaml: .*ConfigMap"):
        render(over)


def test_a_folder_without_a_kustomization_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KustomizeError, match=r"there is no .*kustomization.yaml"):
        render(tmp_path)
