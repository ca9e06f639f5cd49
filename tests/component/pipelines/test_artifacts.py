"""What jobs have kept: told by one process, taken by another, and what neither lets through."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hearth.cli.errors import UserError
from hearth.cli.pipelines.receiving import MOST_BYTES, Receiver, printable
from hearth.pipelines.sdk import artifacts as teller

FOLDERS = {"a": "artifacts/a/2", "b": "artifacts/b/1", "none": "artifacts/none/1"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    place = tmp_path / "workspace"
    files = {"a/1/old": "", "a/2/new": "n", "a/2/sub/deep.txt": "d" * 100_000, "b/1/run": "#!"}
    for path, text in files.items():
        file = place / "artifacts" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (place / "artifacts/b/1/run").chmod(0o755)
    (place / "artifacts/b/1/link").symlink_to("/etc/passwd")
    (place / "artifacts/b/1/tree").symlink_to("/etc")
    os.mkfifo(place / "artifacts/b/1/pipe")
    return place


def told(workspace: Path, monkeypatch: Any, capsys: Any, **asked: Any) -> list[bytes]:
    monkeypatch.setenv("HEARTH_VOLUME_WORKSPACE", str(workspace))
    monkeypatch.setenv("HEARTH_ARTIFACTS", json.dumps({"folders": FOLDERS, **asked}))
    teller.main()
    return [line.encode() for line in capsys.readouterr().out.splitlines()]


def taken(lines: list[bytes], folder: Path | None) -> Receiver:
    receiver = Receiver(folder)
    try:
        for line in lines:
            receiver.feed(line)
        receiver.check_end()
    finally:
        receiver.close()
    return receiver


def test_files_of_the_last_attempts_are_listed(
    workspace: Path, monkeypatch: Any, capsys: Any
) -> None:
    """Links lead to nobody's files, and what is no file is not waited for."""
    found = taken(told(workspace, monkeypatch, capsys), None).found
    assert [(each["path"], each["size"]) for each in found] == [
        ("a/new", 1),
        ("a/sub/deep.txt", 100_000),
        ("b/run", 2),
    ]


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        (["*"], {"a/new", "a/sub/deep.txt", "b/run"}),
        (["b"], {"b/run"}),
        (["a/*.txt", "b/run"], {"a/sub/deep.txt", "b/run"}),
        (["a/ne"], set()),
    ],
)
def test_files_that_are_wanted_arrive_whole(
    workspace: Path,
    tmp_path: Path,
    monkeypatch: Any,
    capsys: Any,
    patterns: list[str],
    paths: set[str],
) -> None:
    lines = told(workspace, monkeypatch, capsys, send=patterns)
    assert {each["path"] for each in taken(lines, tmp_path / "to").found} == paths
    there = {p.relative_to(tmp_path / "to") for p in (tmp_path / "to").rglob("*") if p.is_file()}
    assert there == {Path(path) for path in paths}
    if "b/run" in paths:
        assert os.access(tmp_path / "to/b/run", os.X_OK)
    if "a/sub/deep.txt" in paths:
        assert (tmp_path / "to/a/sub/deep.txt").read_text() == "d" * 100_000


def sent(path: str, content: bytes = b"x", *, size: int = 1, digest: str = "") -> list[bytes]:
    head = {"path": path, "size": size, "executable": False}
    lines = [json.dumps(head).encode(), base64.b64encode(content)]
    return [*lines, json.dumps({"sha256": digest}).encode(), b'{"end": true}']


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (sent("a/../../x"), "no path below a folder"),
        (sent("/etc/x"), "no path below a folder"),
        (sent("a//x"), "no path below a folder"),
        (sent("a/x", digest="0" * 64), "a/x came with a piece missing"),
        (sent("a/x")[:2], "came with a piece missing"),
        (sent("a/x", size=MOST_BYTES + 1), "more than 256.0 MiB"),
        (sent("a/x", b"four", size=3), "a/x is longer than the pod said"),
        ([b'{"error": "/x: No such file"}'], "/x: No such file"),
    ],
)
def test_what_is_not_let_through(tmp_path: Path, lines: list[bytes], said: str) -> None:
    """Nothing half done stays."""
    with pytest.raises(UserError, match=said):
        taken(lines, tmp_path / "to")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_too_many_files_are_an_error(
    workspace: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr(teller, "MOST_FILES", 2)
    with pytest.raises(UserError, match="there are more than 2 files"):
        taken(told(workspace, monkeypatch, capsys), None)


def test_names_do_nothing_to_a_terminal() -> None:
    assert printable("a\x1b[31m/b\n") == "a\N{REPLACEMENT CHARACTER}[31m/b\N{REPLACEMENT CHARACTER}"
