"""A folder with packages of its own as a pipeline of a cluster; the files that its jobs keep."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.e2e.acluster.cluster import BASE, KUBECONFIG, REGISTRY, hearth
from tests.e2e.support import hearth_command

NAME = f"own-{os.getpid()}"
SCRIPT = f"""
import six
import helper
from hearth.pipelines import artifacts, job, on

def build(word):
    (artifacts() / "word.txt").write_text(helper.loud(word))
    return six.__name__

@on("{NAME}:build")
def go(event):
    report = "echo all well > /artifacts/all.txt"
    job("report", command=["sh", "-c", report], artifacts=True).run()
    return job("build", build, "kept", artifacts=True).run().value
"""


def test_a_folder_runs_in_an_image_made_of_it_and_its_jobs_keep_files(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "pipeline.py").write_text(SCRIPT)
    (folder / "helper.py").write_text("def loud(word):\n    return word.upper()\n")
    (folder / "requirements.txt").write_text("six\n")
    made = ("--registry", REGISTRY, "--base", BASE)
    try:
        said = hearth("pipeline", "run", str(folder), "--event", f"{NAME}:build", "-f", *made)
        assert said.splitlines()[-1] == "six"
        name = next(line.split()[1] for line in said.splitlines() if line.startswith("Run "))
        listed = json.loads(hearth("run", "artifacts", name, "-o", "json"))
        assert [each["path"] for each in listed] == ["build/word.txt", "report/all.txt"]
        hearth("run", "artifacts", name, "--to", str(tmp_path / "to"))
        assert (tmp_path / "to/build/word.txt").read_text() == "KEPT"
    finally:
        hearth_command("pipeline", "delete", NAME, "--kubeconfig", KUBECONFIG, check=False)
