"""State folders of all kinds: odd paths, damage, a folder that cannot be written; no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.support import hearth_command


def refused(*arguments: str, data_dir: Path) -> str:
    done = hearth_command(*arguments, data_dir=data_dir, check=False)
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 3), said
    assert "Traceback" not in said
    assert "Error: " in said
    return said


@pytest.mark.parametrize("text", ['{"pid": ', "[]", '{"pid": "x"}', '{"ports": [1]}', "null"])
@pytest.mark.parametrize("command", [("up", "--detach", "--port", "0"), ("status",), ("down",)])
def test_a_damaged_state_file_is_named(tmp_path: Path, text: str, command: tuple[str, ...]) -> None:
    (tmp_path / "state.json").write_text(text)
    assert "state.json is damaged" in refused(*command, data_dir=tmp_path)


@pytest.mark.parametrize("name", ["file/inner", "file", "x" * 300])
def test_a_folder_that_cannot_be_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    assert name in refused("up", "--detach", "--port", "0", data_dir=tmp_path / name)


def is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:  # a file that was there for a moment
        return False


def test_a_folder_with_an_odd_name_works_and_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "with space" / "ä b"
    hearth_command("up", "--detach", "--port", "0", data_dir=folder)
    try:
        assert [path for path in (folder, *folder.rglob("*")) if is_open_to_others(path)] == []
        (folder / "kubeconfig").unlink()
        assert "kubeconfig" in refused("status", data_dir=folder)
    finally:
        hearth_command("down", data_dir=folder)


def test_a_hearth_in_another_folder_is_found_by_its_name(tmp_path: Path) -> None:
    share, folder = str(tmp_path / "share"), tmp_path / "elsewhere"
    where = ("--name", "blue", "--data-dir", str(folder))
    said = hearth_command("up", "--detach", "--port", "0", *where, XDG_DATA_HOME=share).stdout
    try:
        assert "Stop it with `hearth down --name blue`." in said
        status = hearth_command("status", "--name", "blue", "-o", "json", XDG_DATA_HOME=share)
        seen = json.loads(status.stdout)
        assert (seen["running"], seen["dataDir"]) == (True, str(folder))
        other = (
            "up",
            "--detach",
            "--port",
            "0",
            "--name",
            "blue",
            "--data-dir",
            str(tmp_path / "b"),
        )
        refusal = hearth_command(*other, check=False, XDG_DATA_HOME=share)
        assert f"taken by the Hearth that runs on {folder}" in refusal.stdout + refusal.stderr
    finally:
        hearth_command("down", "--name", "blue", XDG_DATA_HOME=share)
    assert hearth_command("status", *where, check=False, XDG_DATA_HOME=share).returncode == 3
