"""Names of Hearths and the folders they stand for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hearth.cli import names
from hearth.cli.errors import UserError
from hearth.cli.state import process_start, write_state


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path / "share" / "hearth"


def a_state(folder: Path, *, runs: bool = False) -> Path:
    folder.mkdir(parents=True)
    write_state(folder, {"pid": os.getpid(), "started": process_start(os.getpid())} if runs else {})
    return folder


def test_a_name_without_a_note_stands_for_its_default_folder(base: Path) -> None:
    assert names.data_dir_of("blue") == base / "blue"


def test_a_noted_name_stands_for_its_folder(tmp_path: Path, base: Path) -> None:
    folder = a_state(tmp_path / "a b")
    names.note("blue", folder)
    assert names.data_dir_of("blue") == folder
    assert names.is_found("blue", folder)
    assert names.data_dir_of("red") == base / "red"


def test_the_default_name_is_never_noted(tmp_path: Path, base: Path) -> None:
    folder = a_state(tmp_path / "elsewhere")
    names.note("default", folder)
    assert names.data_dir_of("default") == base / "default"
    assert not names.is_found("default", folder)


def test_a_later_folder_takes_the_name_over_and_back(tmp_path: Path, base: Path) -> None:
    first, second = a_state(tmp_path / "first"), a_state(tmp_path / "second")
    own = a_state(base / "blue")
    for folder in (first, second, own):
        names.note("blue", folder)
        assert names.data_dir_of("blue") == folder


def test_a_name_whose_hearth_runs_is_taken(tmp_path: Path) -> None:
    first, second = a_state(tmp_path / "first", runs=True), a_state(tmp_path / "second")
    names.note("blue", first)
    names.note("blue", first)
    with pytest.raises(UserError, match=f"taken by the Hearth that runs on {first}"):
        names.note("blue", second)


def test_a_folder_that_is_gone_is_forgotten(tmp_path: Path, base: Path) -> None:
    folder = a_state(tmp_path / "first")
    names.note("blue", folder)
    names.forget(folder)
    assert names.data_dir_of("blue") == base / "blue"
    assert list((base / ".names").iterdir()) == []


def test_a_home_that_cannot_be_written_leaves_the_name_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    folder = a_state(tmp_path / "first")
    names.note("blue", folder)
    assert not names.is_found("blue", folder)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".names", "ä", "x" * 64, "a b"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="is no name"):
        names.data_dir_of(name)
