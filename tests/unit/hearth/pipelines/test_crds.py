"""The definitions: what is shipped is what the models say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hearth.kube.crdgen import files
from hearth.pipelines.api.crds import CRDS

FOLDER = Path(__file__).parents[4] / "crds" / "pipelines"


@pytest.mark.parametrize(("name", "text"), files(CRDS).items())
def test_a_definition_is_up_to_date(name: str, text: str) -> None:
    assert (FOLDER / name).read_text() == text, "run make crds"


def test_all_are_shipped() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert listed == sorted(files(CRDS))
