"""A pipeline for a push: fetch, check and test side by side, build; a summary of what came of it.

    hearth pipeline run release.py --event github:push --payload push.json --follow

``push.json`` is what GitHub sends; of it ``repository.clone_url`` and ``after`` are read. In a
cluster the image needs git: ``--image``.
"""

import compileall
import hashlib
import subprocess
import sys
import zipapp
from typing import Any

from hearth.pipelines import artifacts, job, on, parallel, workspace


def fetch(url: str, commit: str) -> str:
    """Fetch the commit into the workspace, which the jobs after this one share."""
    source = workspace() / "source"
    subprocess.run(["git", "clone", "--quiet", url, str(source)], check=True)
    subprocess.run(["git", "-C", str(source), "checkout", "--quiet", commit], check=True)
    return commit


def check() -> None:
    """Compile everything: what is no Python ends the job."""
    if not compileall.compile_dir(workspace() / "source", quiet=1):
        raise SystemExit(1)


def test() -> str:
    """Run the tests; their output is the job's log."""
    command = [sys.executable, "-m", "unittest", "discover", "--verbose"]
    done = subprocess.run(command, cwd=workspace() / "source", stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(done.returncode)
    return "passed"


def build(name: str) -> dict[str, str | int]:
    """Make one file of it, which is kept: `hearth run artifacts RUN --to .` fetches it."""
    made = artifacts() / f"{name}.pyz"
    zipapp.create_archive(workspace() / "source", made, interpreter="/usr/bin/env python3")
    content = made.read_bytes()
    return {"file": made.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@on("github:push")
def push(event: Any) -> str:
    """Run for each push."""
    payload = event.get_data()
    repository = payload["repository"]
    job("fetch", fetch, repository["clone_url"], payload["after"], workspace=True, retries=2).run()
    checks = job("check", check, workspace=True), job("test", test, workspace=True, timeout=600)
    parallel(*checks)
    built = job("build", build, repository["name"], workspace=True, artifacts=True).run().value
    return f"{repository['name']} {payload['after'][:7]}: {built['file']}, {built['bytes']} bytes"
