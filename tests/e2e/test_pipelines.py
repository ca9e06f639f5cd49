"""Pipelines as a user has them: a script, an event, what came of it, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import SAMPLES, Hearth, wait_until

HEAD = "from hearth.pipelines import job, on, parallel, workspace\n"


def a_script(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.py"
    path.write_text(HEAD + text)
    return str(path)


def get_run(hearth: Hearth, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(hearth.run("run", "get", name, "-o", "json").stdout)
    return found


def begun(text: str) -> str:
    """The run that a command says it has begun."""
    line = next(each for each in text.splitlines() if each.startswith("Run "))
    return line.split()[1]


def is_over(hearth: Hearth, name: str) -> bool:
    return bool((get_run(hearth, name).get("status") or {}).get("finishedAt"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git = shutil.which("git")
    if git is None:
        pytest.skip("no git here")
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "__main__.py").write_text("print('shop')\n")
    (folder / "test_it.py").write_text(
        "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_sum(self):\n"
        "        self.assertEqual(1 + 1, 2)\n"
    )
    told = {"GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "all")):
        subprocess.run([git, *command], cwd=folder, env=told, check=True)
    return folder


def test_the_sample_builds_what_was_pushed(
    hearth: Hearth, repository: Path, tmp_path: Path
) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()
    payload = tmp_path / "push.json"
    pushed = {"name": "shop", "clone_url": str(repository)}
    payload.write_text(json.dumps({"after": commit, "repository": pushed}))
    script = str(SAMPLES / "pipelines" / "release.py")
    options = ("--event", "github:push", "--payload", str(payload), "--follow")
    done = hearth.run("pipeline", "run", script, *options)
    assert "Pipeline release created; it is started by github:push." in done.stdout
    assert f"shop {commit[:7]}: shop.pyz" in done.stdout
    name = begun(done.stdout)
    jobs = get_run(hearth, name)["status"]["jobs"]
    assert {each: job["phase"] for each, job in jobs.items()} == dict.fromkeys(
        ("fetch", "check", "test", "build"), "Succeeded"
    )
    said = hearth.run("run", "logs", name, "--job", "test").stdout
    assert "test_sum" in said and "OK" in said
    listed = hearth.run("run", "list", "--pipeline", "release").stdout
    assert listed.splitlines()[1].split()[:4] == [name, "release", "Succeeded", "4/4"]
    hearth.run("run", "artifacts", name, "--to", str(tmp_path))
    made = subprocess.run([sys.executable, tmp_path / "build/shop.pyz"], capture_output=True)
    assert made.stdout == b"shop\n"


def test_a_folder_with_modules_and_packages_of_its_own(hearth: Hearth, tmp_path: Path) -> None:
    """Its environment is made once."""
    folder = tmp_path / "own_packages"
    folder.mkdir()
    (folder / "requirements.txt").write_text("six\n")
    (folder / "helper.py").write_text("import six, sys\ndef told():\n    return sys.prefix\n")
    told = '@on("test:own")\ndef go(event):\n    return job("told", helper.told).run().value\n'
    script = f"{HEAD}import helper\ntold = helper.told\n{told.replace('helper.told', 'told')}"
    (folder / "pipeline.py").write_text(script)
    command = ("pipeline", "run", str(folder), "--event", "test:own", "-f")
    first = hearth.run(*command).stdout
    assert "found: pipeline.py with the packages of requirements.txt" in first
    assert first.splitlines()[-1].startswith(f"{hearth.data_dir}/builds/python-")
    again = hearth.run(*command).stdout
    assert "its packages are installed already" in again
    assert "Pipeline own-packages unchanged" in again


def test_what_jobs_keep_is_fetched(hearth: Hearth, tmp_path: Path) -> None:
    """A function's and a program's files, after the run; nothing of other jobs."""
    script = a_script(
        tmp_path,
        "keeping",
        """
from hearth.pipelines import artifacts

def build(word):
    (artifacts() / "dist").mkdir()
    (artifacts() / "dist" / "word.txt").write_text(word)

@on("test:keeping")
def go(event):
    job("build", build, "kept", artifacts=True).run()
    report = "echo all well > $HEARTH_VOLUME_WORKSPACE/.artifacts/report/1/all.txt"
    job("report", command=["sh", "-c", report], artifacts=True).run()
    job("other", command=["true"]).run()
""",
    )
    name = begun(hearth.run("pipeline", "run", script, "--event", "test:keeping", "-f").stdout)
    told = hearth.run("run", "get", name).stdout.splitlines()[-1]
    assert told == f"Its jobs have kept files: hearth run artifacts {name}"
    listed = hearth.run("run", "artifacts", name).stdout.splitlines()
    assert [line.split()[0] for line in listed[1:]] == ["build/dist/word.txt", "report/all.txt"]
    hearth.run("run", "artifacts", name, "build", "--to", str(tmp_path / "to"))
    assert [p for p in (tmp_path / "to").rglob("*") if p.is_file()] == [
        tmp_path / "to/build/dist/word.txt"
    ]
    assert (tmp_path / "to/build/dist/word.txt").read_text() == "kept"
    none = hearth.run("run", "artifacts", name, "nothing*", check=False)
    assert (none.returncode, "has kept a file like nothing*" in none.stderr) == (1, True)


def test_runs_survive_kills_of_everything(hearth: Hearth, tmp_path: Path) -> None:
    """Every component is killed while jobs run; each job does its work once."""
    done = tmp_path / "done"
    script = a_script(
        tmp_path,
        "enduring",
        f"""
def work(n):
    import pathlib, time
    time.sleep(0.5)
    with open({str(done)!r}, "a") as file:
        file.write(f"{{n}}\\n")
    return n

@on("test:enduring")
def go(event):
    return [job(f"work-{{n}}", work, n).run().value for n in range(6)]
""",
    )
    name = begun(hearth.run("pipeline", "run", script, "--event", "test:enduring").stdout)

    def are_done(most: int) -> bool:
        return done.exists() and len(done.read_text().split()) >= most

    for count, component in enumerate(("pipelines", "cluster", "api", "pipelines"), 1):
        wait_until(partial(are_done, count), what="a job")
        os.kill(hearth.pids()[component], signal.SIGKILL)
    wait_until(lambda: _is_over_by_now(hearth, name), seconds=60, what="the end")
    run = get_run(hearth, name)
    assert (run["status"]["phase"], run["status"]["summary"]) == ("Succeeded", list(range(6)))
    assert done.read_text().split() == [str(n) for n in range(6)]


def _is_over_by_now(hearth: Hearth, name: str) -> bool:
    """The API may be away."""
    found = hearth.run("run", "get", name, "-o", "json", check=False)
    return found.returncode == 0 and '"finishedAt"' in found.stdout and is_over(hearth, name)


def test_a_worker_that_is_killed_begins_anew_and_repeats_nothing(
    hearth: Hearth, tmp_path: Path
) -> None:
    done = tmp_path / "done"
    script = a_script(
        tmp_path,
        "replayed",
        f"""
import os, signal

def work():
    with open({str(done)!r}, "a") as file:
        file.write("once ")

@on("test:replayed")
def go(event):
    job("work", work).run()
    if os.environ["HEARTH_ATTEMPT"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return os.environ["HEARTH_ATTEMPT"]
""",
    )
    told = hearth.run("pipeline", "run", script, "--event", "test:replayed", "-f").stdout
    assert told.splitlines()[-1] == "2"
    assert done.read_text() == "once "


def test_a_run_that_failed_is_tried_again_without_what_succeeded(
    hearth: Hearth, tmp_path: Path
) -> None:
    done, fixed = tmp_path / "done", tmp_path / "fixed"
    script = a_script(
        tmp_path,
        "mended",
        f"""
import os

def first():
    with open({str(done)!r}, "a") as file:
        file.write("first ")
    return 1

def second():
    if not os.path.exists({str(fixed)!r}):
        raise ValueError("not yet")

@on("test:mended")
def go(event):
    job("first", first).run()
    job("second", second).run()
""",
    )
    failed = hearth.run("pipeline", "run", script, "--event", "test:mended", "-f", check=False)
    assert failed.returncode == 1
    assert "ValueError: not yet" in failed.stdout
    fixed.touch()
    name = begun(failed.stdout)
    again = hearth.run("run", "retry", name, "--follow")
    assert "jobs that count as done: first." in again.stdout
    assert done.read_text() == "first "
    cloned = hearth.run("run", "clone", name, "--follow")
    assert begun(cloned.stdout) != name
    assert done.read_text() == "first first "
    hearth.run("run", "delete", "--pipeline", "mended")
    assert "No runs" in hearth.run("run", "list", "--pipeline", "mended").stdout


def test_a_run_is_cancelled_and_its_logs_stay(hearth: Hearth, tmp_path: Path) -> None:
    script = a_script(
        tmp_path,
        "endless",
        """
@on("test:endless")
def go(event):
    job("endless", command=["sh", "-c", "echo begun; exec sleep 1000"]).run()
""",
    )
    name = begun(hearth.run("pipeline", "run", script, "--event", "test:endless").stdout)
    wait_until(lambda: "begun" in hearth.run("run", "logs", name).stdout, what="its log")
    hearth.run("run", "cancel", name)
    wait_until(lambda: is_over(hearth, name), what="the end")
    assert get_run(hearth, name)["status"]["phase"] == "Aborted"
    pod = f"{name}-endless-1"

    def phase() -> str:
        return str(hearth.get_json("pod", pod)["status"]["phase"])

    wait_until(lambda: phase() == "Failed", what="the end of its pod")
    assert hearth.run("run", "logs", name, "--job", "endless").stdout == "begun\n"
    assert "is Aborted already" in hearth.run("run", "cancel", name).stdout


def test_a_job_that_no_node_has_room_for_waits_and_says_so(hearth: Hearth, tmp_path: Path) -> None:
    script = a_script(
        tmp_path,
        "large",
        """
def work(): return 1

@on("test:large")
def go(event):
    job("large", work, resources={"requests": {"memory": "900Gi"}}).run()
""",
    )
    name = begun(hearth.run("pipeline", "run", script, "--event", "test:large").stdout)

    def told() -> str:
        jobs = (get_run(hearth, name).get("status") or {}).get("jobs") or {}
        return str(jobs.get("large", {}).get("message", ""))

    text = wait_until(told, what="why it waits")
    assert "0/1 nodes are available: 1 Insufficient memory." in text
    hearth.run("run", "cancel", name)
    wait_until(lambda: is_over(hearth, name), what="the end")


def test_what_is_said_of_scripts_that_are_no_use(hearth: Hearth, tmp_path: Path) -> None:
    def refused(name: str, text: str, event: str = "a:b") -> str:
        script = a_script(tmp_path, name, text)
        done = hearth.run("pipeline", "run", script, "--event", event, "--follow", check=False)
        assert done.returncode == 1
        return done.stdout + done.stderr

    assert "line 2: invalid syntax: def f(:" in refused("syntax", "def f(:")
    other = '@on("a:b", ref="x")\ndef f(e): ...'
    assert "it has @on for a:b ref=x" in refused("other", other, "c:d")
    text = refused("unimportable", "import nowhere\n@on('x:b')\ndef f(e): ...", "x:b")
    assert "ModuleNotFoundError: No module named 'nowhere'" in text
    text = refused(
        "unlisted",
        "@on('y:b')\ndef f(e): job('s', command=['true'], secrets={'T': 'no/k'}).run()",
        "y:b",
    )
    assert "asks for Secret 'no', which its pipeline does not list" in text
    reason = hearth.get_json("pipelinerun", begun(text))["status"]["reason"]
    assert reason == "UnknownSecret"
    hearth.run("pipeline", "delete", "unlisted")
    assert (
        "no pipeline 'unlisted'"
        in hearth.run("pipeline", "describe", "unlisted", check=False).stderr
    )
