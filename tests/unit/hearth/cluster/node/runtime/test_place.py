"""Where control groups can be made, on a tree of files that is like one of version 2."""

from pathlib import Path

import pytest

from hearth.cluster.node.runtime.cgroups import place
from hearth.cluster.node.runtime.cgroups.files import Folders
from hearth.cluster.node.runtime.cgroups.group import Group

ALL = "cpu memory pids"


def a_group(path: Path, controllers: str = "") -> Path:
    path.mkdir(exist_ok=True)
    (path / "cgroup.procs").touch()
    (path / "cgroup.subtree_control").write_text(controllers)
    return path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``slice/scope``, the scope being our own; groups come with their files."""
    scope = a_group(a_group(tmp_path / "slice") / "scope")
    monkeypatch.setattr(Group, "of", lambda: Group(Folders({}, scope)))
    monkeypatch.setattr(Group, "make", lambda self: a_group(self.folders.v2))
    return scope


def test_below_our_own_group_the_controllers_are_enabled(tree: Path) -> None:
    found, why = place.find_place("hearth-x")
    assert found is not None and not why
    assert found.folders.v2 == tree / "hearth-x"
    for folder in (tree, tree / "hearth-x"):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_what_is_enabled_is_left_alone(tree: Path) -> None:
    (tree / "cgroup.subtree_control").write_text(ALL)
    assert place.find_place("hearth-x")[0] is not None
    assert (tree / "cgroup.subtree_control").read_text() == ALL


def test_where_our_own_does_not_let_us_the_group_above_may(tree: Path) -> None:
    (tree / "cgroup.subtree_control").unlink()
    (tree / "cgroup.subtree_control").mkdir()  # as good as one that cannot be written
    found, _ = place.find_place("hearth-x")
    assert found is not None and found.folders.v2 == tree.parent / "hearth-x"


def test_where_none_lets_us_it_says_why(tree: Path) -> None:
    for folder in (tree, tree.parent):
        (folder / "cgroup.subtree_control").unlink()
    found, why = place.find_place("hearth-x")
    assert found is None and "No such file or directory" in why


def test_without_control_groups_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Group, "of", lambda: None)
    assert place.find_place("x") == (None, "this machine has no control groups")
    only = Group(Folders({"memory": Path("/m")}))
    monkeypatch.setattr(Group, "of", lambda: only)
    assert place.find_place("x")[1] == "the control groups of this machine lack cpu, pids"
