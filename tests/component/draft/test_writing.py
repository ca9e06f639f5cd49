"""Files are written all or none, inside their folder, and over others only where that is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from hearth.cli.draft.writing import write_files
from hearth.cli.errors import UserError


def test_nothing_is_written_over_unless_it_is_asked_for(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/b.txt": "one"}, force=False)
    write_files(tmp_path, {"a/b.txt": "one"}, force=False)  # the same again changes nothing
    with pytest.raises(UserError, match=r"has a/b\.txt already, .* nothing was written"):
        write_files(tmp_path, {"a/b.txt": "two", "new.txt": "x"}, force=False)
    assert not (tmp_path / "new.txt").exists()
    write_files(tmp_path, {"a/b.txt": "two"}, force=True)
    assert (tmp_path / "a" / "b.txt").read_text() == "two"


@pytest.mark.parametrize("path", ["../x", "/tmp/x", "a/../../x", "", "link/x"])
def test_what_leaves_the_folder_is_not_written(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match=r"leaves the folder|led out of"):
        write_files(folder, {path: "x"}, force=True)
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
