"""The CRDs in ``crds/`` are those of the models."""

from pathlib import Path

import pytest

from eventing.api.crds import CRDS
from hearth.kube.crdgen import crd_object, files

FOLDER = Path(__file__).parents[4] / "crds"


@pytest.mark.parametrize(("name", "text"), files(CRDS).items())
def test_files_are_up_to_date(name, text):
    assert (FOLDER / name).read_text() == text, "run make crds"


@pytest.mark.parametrize("crd", CRDS, ids=lambda crd: crd.kind)
def test_the_status_is_a_subresource(crd):
    versions = crd_object(crd)["spec"]["versions"]
    assert all(version["subresources"]["status"] == {} for version in versions)
    assert [version["storage"] for version in versions].count(True) == 1
