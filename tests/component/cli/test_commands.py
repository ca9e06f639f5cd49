"""The commands as typed, without a Hearth that runs: what they say, print and return."""

from __future__ import annotations

import errno
import http.server
import json
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from hearth.cli import main, names
from hearth.cli.errors import UserError
from hearth.cli.state import read_state, write_state
from tests.ports import free_port


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for variable in ("HEARTH_NAME", "HEARTH_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def hearth(*arguments: str, data_dir: Path | None = None) -> Result:
    where = ["--data-dir", str(data_dir)] if data_dir else []
    return CliRunner().invoke(main.app, [*arguments, *where])


def refusal(*arguments: str, data_dir: Path | None = None) -> str:
    result = hearth(*arguments, data_dir=data_dir)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


# -- help ------------------------------------------------------------------------------------------

COMMANDS = [
    *(["up"], ["down"], ["reset"], ["status"], ["logs"], ["build"], ["demo"], ["version"]),
    *(["image", "add"], ["image", "list"], ["image", "rm"], ["event", "send"]),
    *(["image", "pull"], ["image", "import"], ["image", "prune"], ["image", "push"]),
    *(
        ["deploy"],
        ["rollout"],
        ["rollback"],
        ["describe"],
        ["open"],
        ["delete"],
        ["export"],
        ["ui"],
    ),
    *([each] for each in ("init", "validate")),
    *(["func", what] for what in ("create", "run", "deploy", "invoke", "list", "describe")),
    *(["func", what] for what in ("logs", "delete", "subscribe", "languages")),
    *(
        *(["func", "config", "envs", what] for what in ("add", "remove")),
        *(["func", "config", "labels", what] for what in ("add", "remove")),
        ["func", "config", "git"],
        ["func", "config", "volumes"],
    ),
    *(["func", what] for what in ("build", "templates", "version", "environment")),
    *(["func", "repository", what] for what in ("list", "add", "rename", "remove")),
    *(["event", what] for what in ("trace", "list", "dead-letters", "redrive", "replay", "seek")),
    *(["event", "copy"], ["event", "lag"], ["event", "create-broker"], ["event", "hook"]),
    *(["event", "graph"], ["scale", "explain"], ["scale", "set"], ["simulate"]),
    *(["install"], ["uninstall"], ["migrate", "check"]),
    *(["pipeline", what] for what in ("create", "apply", "run", "list", "describe", "delete")),
    *(["run", what] for what in ("list", "get", "logs", "artifacts", "follow")),
    *(["run", what] for what in ("cancel", "clone", "retry", "delete")),
    *(["top"], ["doctor"], ["completion"], ["bindings"]),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str]) -> None:
    result = hearth(*command, "--help")
    assert result.exit_code == 0
    assert f"hearth {' '.join(command)}" in result.output


def words(app: Typer) -> list[list[str]]:
    """The commands of an app, and those of its groups behind the group's name."""
    own = [[c.name or c.callback.__name__] for c in app.registered_commands if c.callback]
    groups = [(str(group.name), group.typer_instance) for group in app.registered_groups]
    return own + [[name, *more] for name, group in groups if group for more in words(group)]


def test_every_command_is_listed_here() -> None:
    assert sorted(words(main.app)) == sorted(COMMANDS)


def test_the_version_is_the_packages() -> None:
    assert hearth("version").output.startswith("hearth 0.")


# -- folders and names -----------------------------------------------------------------------------


def test_status_of_nothing_exits_as_init_scripts_do(folder: Path) -> None:
    result = hearth("status", data_dir=folder)
    assert result.exit_code == 3
    assert "Not running" in result.output
    shown = hearth("status", "-o", "json", data_dir=folder)
    assert json.loads(shown.output) == {"running": False, "dataDir": str(folder)}


def test_a_name_finds_the_folder_that_up_was_given(folder: Path) -> None:
    folder.mkdir()
    write_state(folder, {"name": "blue", "pid": 0})
    names.note("blue", folder)
    assert json.loads(hearth("status", "--name", "blue", "-o", "json").output)["dataDir"] == str(
        folder
    )
    assert str(folder) in hearth("down", "--name", "blue").output
    assert "Deleted" in hearth("reset", "--yes", "--name", "blue").output
    assert not folder.exists()
    assert names.data_dir_of("blue") != folder


def test_a_name_that_is_none_is_refused() -> None:
    assert "is no name" in refusal("status", "--name", "../x")


def test_reset_asks_first(folder: Path) -> None:
    folder.mkdir()
    write_state(folder, {})
    result = CliRunner().invoke(main.app, ["reset", "--data-dir", str(folder)], input="n\n")
    assert result.exit_code == 1
    assert read_state(folder) == {}


def test_reset_leaves_other_folders_alone(folder: Path) -> None:
    assert "Nothing is stored" in hearth("reset", "--yes", data_dir=folder).output
    (folder / "mine").mkdir(parents=True)
    assert "is no state folder" in refusal("reset", "--yes", data_dir=folder)
    assert (folder / "mine").is_dir()


def test_commands_that_need_a_hearth_say_how_to_start_one(folder: Path) -> None:
    for command in (["logs", "hello"], ["event", "send"], ["event", "trace", "1"]):
        assert "start one with `hearth up`" in refusal(*command, data_dir=folder)


def test_commands_that_serve_clusters_as_well_say_how_to_name_one(folder: Path) -> None:
    for command in (["describe", "hello"], ["scale", "set", "hello", "--min", "1"]):
        assert "name its kubeconfig with --kubeconfig" in refusal(*command, data_dir=folder)


# -- doctor, completion, no words at all -----------------------------------------------------------


def test_doctor_of_a_machine_where_nothing_runs(folder: Path) -> None:
    result = hearth("doctor", "-o", "json", data_dir=folder)
    report = json.loads(result.output)
    found = {check["name"]: check for check in report["checks"]}
    assert found["hearth"]["found"] == "was never started here"
    assert {"state folder", "open files", "disk", "kubectl", "*.localhost", "clock"} <= set(found)
    assert result.exit_code == (0 if report["healthy"] else 1)
    assert not folder.exists()


def test_doctor_tells_of_a_hearth_that_was_killed(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    ports = {"gateway": free_port(), "gateway-tls": free_port()}
    write_state(folder, {"pid": 2**22 + 1, "started": "1", "ports": ports})
    with socket.create_server(("127.0.0.1", ports["gateway"])):
        text = hearth("doctor", data_dir=folder).output
    assert "it was killed, or the machine" in text
    assert f"{ports['gateway']} is in use by another program" in text
    assert f"{ports['gateway-tls']} is free" in text
    assert f"chmod 700 {folder}" in text


def test_doctor_of_a_damaged_state_fails(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "state.json").write_text("{")
    result = hearth("doctor", data_dir=folder)
    assert result.exit_code == 1
    assert "is damaged" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_a_script_that_asks_this_command(shell: str) -> None:
    text = hearth("completion", shell).output
    assert "_HEARTH_COMPLETE" in text
    assert f"complete_{shell}" in text


def test_a_terminal_without_words_gets_the_next_step(folder: Path) -> None:
    """And what is no terminal the help, as ever."""
    program = Path(sys.executable).with_name("hearth")
    env = {**os.environ, "HEARTH_DATA_DIR": str(folder)}
    piped = subprocess.run([program], capture_output=True, text=True, env=env, check=False)
    assert "Usage: hearth" in piped.stdout + piped.stderr
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as seen:
        subprocess.run([program], stdout=theirs, env=env, check=True)
        os.close(theirs)
        assert b"hearth up --detach" in seen.read(4096)


# -- images ----------------------------------------------------------------------------------------


def test_an_image_is_added_listed_and_removed(folder: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-c", "pass"]
    added = hearth(
        "image", "add", "app", "--env", "A=1=2", "--data-dir", str(folder), "--", *program
    )
    assert f"app runs: {sys.executable} -c pass" in added.output
    [entry] = json.loads(hearth("image", "list", "-o", "json", data_dir=folder).output)
    assert entry["command"] == program
    assert "app" in hearth("image", "list", data_dir=folder).output
    assert "Forgot app" in hearth("image", "rm", "app", data_dir=folder).output
    assert "No image is known" in hearth("image", "list", data_dir=folder).output
    assert "'app' is known" in refusal("image", "rm", "app", data_dir=folder)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["app"], "say what app runs"),
        (["app", "--", "no-such-program"], "there is no program 'no-such-program'"),
        (["app", "--env", "A", "--", "true"], "--env 'A': give NAME=VALUE"),
        (["UP PER", "--", "true"], "UP PER"),
    ],
)
def test_an_image_that_could_not_run_is_refused(
    folder: Path, arguments: list[str], complaint: str
) -> None:
    assert complaint in refusal("image", "add", "--data-dir", str(folder), *arguments)


def test_a_folder_that_is_not_there_is_not_built(folder: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert "is not a folder" in refusal("build", missing, "-t", "app", data_dir=folder)
    (tmp_path / "empty").mkdir()
    said = refusal("build", str(tmp_path / "empty"), "-t", "app", data_dir=folder)
    assert str(tmp_path / "empty") in said or "empty" in said


# -- events ----------------------------------------------------------------------------------------


Received = tuple[str, list[tuple[dict[str, str], bytes]]]
"""The URL of a receiver, and the heads and bodies it got."""


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes events at /taken, refuses them elsewhere; remembers both."""

    seen: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(202 if self.path == "/taken" else 400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Received]:
    seen: list[tuple[dict[str, str], bytes]] = []
    handler = type("Handler", (Receiver,), {"seen": seen})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def test_an_event_is_sent_to_a_url(
    receiver: Received,
) -> None:
    url, seen = receiver
    result = hearth("event", "send", "--to", f"{url}/taken", "--type", "t", "--data", '{"a": 1}',
                    "-e", "priority=high")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "was accepted" in result.output
    [(headers, body)] = seen
    assert (headers["ce-type"], headers["ce-priority"], json.loads(body)) == ("t", "high", {"a": 1})


def test_a_refusal_is_the_exit_code(
    receiver: Received,
) -> None:
    result = hearth("event", "send", "--to", f"{receiver[0]}/other")
    assert result.exit_code == 1
    assert "400" in result.output


def test_data_comes_from_a_file(tmp_path: Path, receiver: Received) -> None:
    url, seen = receiver
    (tmp_path / "order.json").write_text('{"order": 42}')
    sent = hearth("event", "send", "--to", f"{url}/taken", "--data", f"@{tmp_path / 'order.json'}")
    assert sent.exit_code == 0
    assert json.loads(seen[0][1]) == {"order": 42}
    said = refusal("event", "send", "--to", f"{url}/taken", "--data", "@/no/such/file")
    assert "--data @/no/such/file" in said


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("no port is free"), 1, "Error: no port is free\n"),
        (OSError(errno.ENOSPC, "No space left", "/full"), 1, "Error: /full: No space left\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_the_user_can_mend_are_one_line(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fail() -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit) as exit:
        main.run()
    assert exit.value.code == code
    assert capsys.readouterr().err == said


def test_other_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(OSError, match="Bad file"):
        main.run()
