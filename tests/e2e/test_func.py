"""A function from nothing to its events, by `hearth func` alone, on func's own middleware."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import Hearth, hearth_command, wait_until


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `func create` makes it."""
    folder = tmp_path_factory.mktemp("func") / "mail"
    made = hearth_command("func", "create", str(folder), "-t", "cloudevents")
    assert "Created python function" in made.stdout
    return folder


@contextlib.contextmanager
def running(hearth: Hearth, folder: Path) -> Iterator[Path]:
    """`func run` of a project; yields what it prints."""
    said = folder.parent / "said"
    command = [str(Path(sys.executable).with_name("hearth")), "func", "run", "--path", str(folder)]
    env = {**os.environ, "HEARTH_DATA_DIR": str(hearth.data_dir)}
    with said.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=env, start_new_session=True)
    try:
        wait_until(lambda: "Running on http" in said.read_text(), seconds=90, what="its start")
        yield said
    finally:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 0


def test_it_runs_without_hearth(hearth: Hearth, mail: Path) -> None:
    with running(hearth, mail) as said:

        def answers() -> bool:
            done = hearth.run("func", "invoke", "--path", str(mail), "--id", "7", check=False)
            return '"message": "OK"' in done.stdout

        wait_until(answers, what="an answer")
        assert "boson.fn of /boson/fn" in said.read_text()
    done = hearth.run("func", "invoke", "--path", str(mail), "-t", "local", check=False)
    assert "hearth func run" in done.stderr


def test_it_is_deployed_with_its_subscriptions(hearth: Hearth, mail: Path) -> None:
    hearth.run("func", "subscribe", "--path", str(mail), "-f", "type=com.example")
    changed = hearth.run("func", "config", "envs", "--path", str(mail), "--add", "A=1")
    assert changed.stdout == "A=1\n"
    done = hearth.run("func", "deploy", "--path", str(mail))
    assert done.stdout.splitlines()[-1] == f"http://mail.default.localhost:{hearth.port}"
    assert "there is no Broker default in namespace default yet: hearth event create" in done.stdout
    hearth.apply({"apiVersion": "eventing.knative.dev/v1", "kind": "Broker",
                  "metadata": {"name": "default", "namespace": "default"}})  # fmt: skip
    assert "takes none yet" not in hearth.run("func", "deploy", "--path", str(mail)).stdout
    trigger = hearth.get_json("trigger", "mail-function-trigger-0")
    assert trigger["spec"]["filter"] == {"attributes": {"type": "com.example"}}
    ready = {each["type"]: each["status"] for each in trigger["status"]["conditions"]}
    assert ready["Ready"] == "True"
    answer = hearth.run("func", "invoke", "--path", str(mail), "--data", "{}")
    assert json.loads(answer.stdout)["data"] == {"message": "OK"}


def test_what_is_deployed_is_listed_and_described(hearth: Hearth, mail: Path) -> None:
    [item] = json.loads(hearth.run("func", "list", "-o", "json").stdout)
    assert (item["name"], item["runtime"], item["ready"]) == ("mail", "python", "True")
    described = hearth.run("func", "describe", "mail").stdout.splitlines()
    assert described[described.index("Subscriptions (Source, Type, Broker):") + 1] == (
        "   com.example default"
    )
    assert wait_until(lambda: hearth.run("func", "logs", "mail").stdout, what="a log line")


def test_a_function_of_node_takes_events(hearth: Hearth, tmp_path: Path) -> None:
    """On faas-js-runtime, as Knative func's own template of Node."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm here: functions of Node were not tested")
    folder = tmp_path / "node"
    hearth.run("func", "create", str(folder), "-l", "node", "-t", "cloudevents")
    hearth.run("func", "deploy", "--path", str(folder))
    assert hearth.run("func", "invoke", "--path", str(folder)).stdout == '{"message":"OK"}\n'
    wait_until(
        lambda: "boson.fn of /boson/fn" in hearth.run("func", "logs", "node").stdout, what="its log"
    )
    hearth.run("func", "delete", "--path", str(folder))


def test_it_is_deleted_with_its_triggers(hearth: Hearth, mail: Path) -> None:
    hearth.run("func", "delete", "--path", str(mail))
    assert hearth.run("func", "list").stdout == "no functions found\n"
    wait_until(lambda: "mail" not in hearth.kubectl("get", "trigger").stdout, what="its triggers")
    done = hearth.run("func", "describe", "mail", check=False)
    assert "there is no service 'mail'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "PROJECT"], "is not empty"),
        (["create", "NEW", "-l", "cobol"], "there is no language 'cobol'"),
        (["create", "NEW", "-l", "springboot"], "a folder with a Dockerfile is deployed as it is"),
        (["create", "NEW", "-t", "grpc"], "there is no template 'grpc'"),
        (["deploy", "--path", "NEW"], "there is no func.yaml"),
        (["config", "labels", "--path", "PROJECT", "--add", "-=x"], "deploy.labels.0.key"),
        (["invoke", "--path", "PROJECT", "-t", "moon"], "give local, remote or a URL"),
        (["invoke", "--path", "PROJECT", "-t", "http://127.0.0.1:1"], "gives no answer"),
    ],
)
def test_what_cannot_be_is_said(
    hearth: Hearth, mail: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    named = {"PROJECT": str(mail), "NEW": str(tmp_path / "new")}
    done = hearth.run("func", *(named.get(each, each) for each in arguments), check=False)
    assert done.returncode == 1
    assert message in done.stderr
