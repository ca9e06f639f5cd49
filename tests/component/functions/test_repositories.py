"""Templates of others: `hearth func create -r`, and repositories that are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hearth.cli import main
from hearth.cli.errors import UserError
from tests.gitrepository import committed, git

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one template; the place where such are kept is empty."""
    monkeypatch.setenv("FUNC_REPOSITORIES_PATH", str(tmp_path / "kept"))
    folder = tmp_path / "theirs"
    inner = folder / "python" / "hello"
    (inner / "function").mkdir(parents=True)
    (inner / "function" / "func.py").write_text("def handle(context): return 'first'\n")
    (inner / "tool").write_text("#!/bin/sh\n")
    (inner / "manifest.yaml").write_text("runEnvs: [{name: TEXT, value: theirs}]\n")
    return folder


def func(*arguments: str) -> str:
    done = CliRunner().invoke(main.app, ["func", *arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def refusal(*arguments: str) -> str:
    done = CliRunner().invoke(main.app, ["func", *arguments])
    assert isinstance(done.exception, UserError), done.output
    return str(done.exception)


def test_a_project_is_made_of_a_folders_template(theirs: Path, tmp_path: Path) -> None:
    made = tmp_path / "shop"
    assert func("templates", "-r", str(theirs)) == "python  hello\n"
    assert "Created python function" in func("create", str(made), "-t", "hello", "-r", str(theirs))
    assert sorted(p.name for p in made.iterdir()) == ["func.yaml", "function", "tool"]
    assert (made / "tool").stat().st_mode & 0o111
    assert "value: theirs" in (made / "func.yaml").read_text()
    assert func("config", "envs", "--path", str(made)) == "TEXT=theirs\n"
    assert "is not empty" in refusal("create", str(made), "-t", "hello", "-r", str(theirs))


@needs_git
def test_a_branch_and_a_commit_are_read(theirs: Path, tmp_path: Path) -> None:
    first = committed(theirs)
    git(theirs, "checkout", "-q", "-b", "next")
    (theirs / "python" / "hello" / "function" / "func.py").write_text("second\n")
    committed(theirs)
    for number, (place, text) in enumerate(
        [("", "second"), ("#next", "second"), (f"@{first}", "first")]
    ):
        made = tmp_path / f"made-{number}"
        func("create", str(made), "-t", "hello", "-r", f"file://{theirs}{place}")
        assert text in (made / "function" / "func.py").read_text()
    assert "git could not read" in refusal("templates", "-r", f"file://{theirs}#none")


def test_repositories_are_kept_by_name(theirs: Path, tmp_path: Path) -> None:
    assert func("repository", "list") == "default\n"
    assert func("repository", "add", "them", str(theirs)) == "python  them/hello\n"
    shutil.rmtree(theirs)
    assert func("repository", "list", "-v") == f"default\nthem\t{theirs}\n"
    assert "python  them/hello" in func("templates")
    assert func("languages").splitlines()[0] == "python: http, cloudevents, them/hello"
    func("repository", "rename", "them", "ours")
    func("create", str(tmp_path / "one"), "-t", "ours/hello")
    assert (tmp_path / "one" / "function" / "func.py").exists()
    func("create", str(tmp_path / "two"), "-t", "default/http")
    func("repository", "remove", "ours")
    assert func("repository", "list") == "default\n"


def hashed(theirs: Path, *entries: tuple[str, str, str]) -> str:
    """A tree of entries (mode, name, hash) that git itself would not make."""
    file = theirs.parent / "tree"
    parts = (f"{mode} {name}\0".encode() + bytes.fromhex(of) for mode, name, of in entries)
    file.write_bytes(b"".join(parts))
    return git(theirs, "hash-object", "-t", "tree", "-w", "--literally", str(file))


@needs_git
@pytest.mark.parametrize("names", [("python", "hello", ".."), ("python", "hello", ".git"), ("..",)])
def test_a_tree_whose_names_lead_out_writes_nothing(
    theirs: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    (theirs / "manifest.yaml").write_text("templates: ..\n")
    committed(theirs)
    manifest = git(theirs, "rev-parse", "HEAD:manifest.yaml")
    tree = git(theirs, "rev-parse", "HEAD:python/hello" if len(names) > 1 else "HEAD:")
    for name in reversed(names[1:]):
        tree = hashed(theirs, ("40000", name, tree))
    rest = () if len(names) > 1 else (("100644", "manifest.yaml", manifest),)
    tree = hashed(theirs, ("40000", names[0], tree), *rest)
    git(theirs, "update-ref", "HEAD", git(theirs, "commit-tree", tree, "-m", "x"))
    refused = refusal("repository", "add", "them", f"file://{theirs}")
    assert any(
        why in refused for why in ("no path of a project", "outside of it", "git could not read")
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["theirs", "tree"]


def test_what_is_kept_is_templates_and_what_they_say(theirs: Path, tmp_path: Path) -> None:
    (theirs / "README").symlink_to("/etc/passwd")
    (theirs / "manifest.yaml").write_text("version: '1'\n")
    func("repository", "add", "them", str(theirs))
    kept = tmp_path / "kept" / "them"
    assert {p.name for p in kept.iterdir()} == {".origin", "manifest.yaml", "python"}
    assert (kept / "python" / "hello" / "manifest.yaml").exists()


def test_refusals_say_what_to_do(theirs: Path, tmp_path: Path) -> None:
    made = str(tmp_path / "made")
    assert "hearth func repository add" in refusal("create", made, "-t", "them/hello")
    assert "it has: python hello" in refusal("create", made, "-t", "no", "-r", str(theirs))
    (tmp_path / "empty").mkdir()
    assert "has no template" in refusal("templates", "-r", str(tmp_path / "empty"))
    assert "give a folder or a git" in refusal("create", made, "-t", "no", "-r", "nowhere")
    func("repository", "add", "them", str(theirs))
    assert "already" in refusal("repository", "add", "them", str(theirs))
    assert "no name" in refusal("repository", "add", "../out", str(theirs))
    assert "no repository 'you'" in refusal("repository", "remove", "you")
    (theirs / "python" / "hello" / "link").symlink_to("/etc/passwd")
    assert "link: it has a link" in refusal("create", made, "-t", "hello", "-r", str(theirs))
    (theirs / "python" / "hello" / "link").unlink()
    (theirs / "python" / "hello" / "large").write_bytes(b"x" * (1024 * 1024 + 1))
    assert "larger than 1 MiB" in refusal("create", made, "-t", "hello", "-r", str(theirs))
    assert not Path(made).exists()
