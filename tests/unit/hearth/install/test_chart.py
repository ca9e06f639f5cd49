"""The committed chart is what the objects give."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from hearth.install.chart import chart_files
from hearth.install.values import SETTINGS

CONFIG = Path(__file__).parents[4] / "config"
CHART = CONFIG / "helm" / "hearth"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return chart_files(CONFIG, version("hearth-serving"))


def test_the_committed_chart_is_up_to_date(files: dict[str, str]) -> None:
    committed = {
        str(path.relative_to(CHART)): path.read_text()
        for path in CHART.rglob("*")
        if path.is_file()
    }
    assert committed.keys() == files.keys(), "run make chart"
    assert [title for title, text in files.items() if committed[title] != text] == []


def test_every_setting_is_used_and_explained(files: dict[str, str]) -> None:
    templates = "".join(text for title, text in files.items() if title.startswith("templates/"))
    for setting in SETTINGS:
        assert f"toJson .Values.{setting.key} " in templates
        assert f"# {setting.about}" in files["values.yaml"]


def test_the_schema_declares_what_the_values_have(files: dict[str, str]) -> None:
    schema = json.loads(files["values.schema.json"])
    assert schema["properties"].keys() == yaml.safe_load(files["values.yaml"]).keys()
    assert schema["additionalProperties"] is False


def test_braces_of_the_objects_are_no_expressions(files: dict[str, str]) -> None:
    assert '{{ "{{" }}.Name}}' in files["templates/config-serving.yaml"]
