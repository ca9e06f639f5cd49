"""Flags, variables and outputs of Knative's func that `hearth func` has as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hearth.cli import main
from hearth.cli.errors import UserError


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project; nobody's repositories are kept."""
    monkeypatch.setenv("FUNC_REPOSITORIES_PATH", str(tmp_path / "kept"))
    folder = tmp_path / "shop"
    func("create", "--path", str(folder), "-v")
    return folder


def func(*arguments: str, **variables: str) -> str:
    done = CliRunner().invoke(main.app, ["func", *arguments], env=variables)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def test_variables_and_labels_by_funcs_commands(shop: Path) -> None:
    here = ("--path", str(shop))
    func("config", "envs", "add", "--name", "A", "--value", "1=2", *here)
    func("config", "envs", "add", "--value", "{{ secret:all }}", *here)
    func("config", "envs", "add", "--value", "{{ secret:all }}", *here)  # once is enough
    said = [{"name": "A", "value": "1=2"}, {"value": "{{ secret:all }}"}]
    assert json.loads(func("config", "envs", "-o", "json", *here)) == said
    assert yaml.safe_load((shop / "func.yaml").read_text())["run"]["envs"] == said
    func("config", "envs", "remove", "--name", "A", *here)
    func("config", "labels", "add", "--name", "team", "--value", "blue", *here)
    assert func("config", "labels", *here) == "team=blue\n"
    func("config", "labels", "remove", "--name", "team", *here)
    assert yaml.safe_load(func("config", "labels", "-o", "yaml", *here)) == []


def test_programs_are_answered(shop: Path) -> None:
    assert json.loads(func("languages", "--json")) == ["python", "node"]
    assert json.loads(func("templates", "--json"))["node"] == ["http", "cloudevents"]
    assert json.loads(func("templates", "python", "--json")) == ["http", "cloudevents"]
    assert yaml.safe_load(func("version", "-o", "yaml"))["specVersion"]
    said = json.loads(func("environment", FUNC_PATH=str(shop)))
    assert (said["Function"]["name"], said["Languages"]) == ("shop", ["python", "node"])
    assert f"FUNC_PATH={shop}" in said["Environment"]
    assert "Function" not in yaml.safe_load(func("environment", "-f", "yaml"))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("deploy", "--builder", "pack"), "--builder: no builder is needed"),
        (("deploy", "-R"), "--remote: Hearth builds where it is called"),
        (("deploy", "-t", "main"), "--git-branch: Hearth builds a folder"),
        (("deploy", "--deployer", "raw"), "--deployer: Hearth deploys Knative Services alone"),
        (("deploy", "--token", "x"), "--token: what `docker login` keeps is used"),
        (("run", "-c"), "--confirm: nothing is asked here"),
        (("version", "-o", "xml"), "--output 'xml': give human, json or yaml"),
    ],
)
def test_what_is_done_another_way_is_refused_by_name(
    shop: Path, words: tuple[str, ...], why: str
) -> None:
    done = CliRunner().invoke(main.app, ["func", *words], env={"FUNC_PATH": str(shop)})
    assert isinstance(done.exception, UserError), done.output
    assert str(done.exception).startswith(why)


def test_what_has_nothing_to_say_here_is_passed_over(shop: Path) -> None:
    done = CliRunner().invoke(main.app, ["func", "build", "--push", "-b", "host", "-v", "-p", "no"])
    assert "there is no func.yaml in no" in str(done.exception)
