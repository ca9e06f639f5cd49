"""The recordings are whole, and say nothing of the machine they were made on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import recordings

FILES = (
    recordings.KUBERNETES_EXCHANGES,
    recordings.SERVING_EXCHANGES,
    recordings.EVENTING_EXCHANGES,
)
# What varies from run to run, and so must stand as a token.
VARIES = re.compile(r"[\"' ]resourceVersion[\"']?: [\"']?\d{2,}|/home/|/root/|/tmp/")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_readme_counts_the_exchanges(file: Path) -> None:
    count = len(recordings.exchanges(file))
    relative = file.relative_to(recordings.FOLDER)
    assert f"| `{relative}` | {count} requests" in (recordings.FOLDER / "README.md").read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_ids_are_given_once(file: Path) -> None:
    ids = [exchange["id"] for exchange in recordings.exchanges(file)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "folder", [recordings.SERVING_WORLD, recordings.EVENTING_WORLD], ids=lambda path: path.name
)
def test_scenarios_hold_tokens_where_values_vary(folder: Path) -> None:
    told = {file.name: VARIES.findall(file.read_text()) for file in recordings.scenarios(folder)}
    assert {name: found for name, found in told.items() if found} == {}


def test_a_folder_without_scenarios_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        recordings.scenarios(tmp_path)
