"""The committed CRDs are those the models give; what they keep and drop is Knative's choice."""

from pathlib import Path
from typing import Any

import pytest

from hearth.kube.crdgen import crd_object, files
from serving.api.crds import ALL, CERTIFICATE, REVISION, SERVICE

FOLDER = Path(__file__).parents[4] / "crds"


@pytest.mark.parametrize(("name", "text"), files(ALL).items())
def test_committed_files_are_up_to_date(name: str, text: str) -> None:
    assert (FOLDER / name).read_text() == text, "run make crds"


def _spec(crd: Any) -> Any:
    version = crd_object(crd)["spec"]["versions"][0]
    return version["schema"]["openAPIV3Schema"]["properties"]["spec"]


def _container() -> Any:
    return _spec(REVISION)["properties"]["containers"]["items"]["properties"]


@pytest.mark.parametrize("field", ["lifecycle", "stdin", "tty", "volumeDevices", "resizePolicy"])
def test_fields_no_flag_allows_are_unknown(field: str) -> None:
    assert field not in _container()


@pytest.mark.parametrize("field", ["nodeName", "hostname", "priority", "restartPolicy"])
def test_pod_fields_no_flag_allows_are_unknown(field: str) -> None:
    assert field not in _spec(REVISION)["properties"]


def test_fields_behind_flags_are_kept_whole() -> None:
    affinity = _spec(REVISION)["properties"]["affinity"]
    assert affinity["x-kubernetes-preserve-unknown-fields"] is True
    assert "properties" not in affinity


def test_lists_merge_as_in_knative() -> None:
    env = _container()["env"]
    assert env["x-kubernetes-list-type"] == "map"
    assert env["x-kubernetes-list-map-keys"] == ["name"]


def test_names_and_columns() -> None:
    definition = crd_object(SERVICE)
    assert definition["metadata"]["name"] == "services.serving.knative.dev"
    assert definition["spec"]["names"]["shortNames"] == ["kservice", "ksvc"]
    assert definition["spec"]["names"]["categories"] == ["all", "knative", "serving"]
    columns = [
        column["name"] for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]
    ]
    assert columns == ["URL", "LatestCreated", "LatestReady", "Ready", "Reason"]


def test_required_fields() -> None:
    assert _spec(REVISION)["required"] == ["containers"]
    assert _spec(CERTIFICATE)["required"] == ["dnsNames", "secretName"]
