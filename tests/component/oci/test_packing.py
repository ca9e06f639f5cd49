"""Images of ours: the same from the same files, and read by a tool that is not ours."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from hearth.oci.packing import entries_of
from tests.component.keda.servers import program
from tests.images import PASSWORD, USER, Registry, TestImage, make_test_image, static_image


def test_the_same_files_give_the_same_image(tmp_path: Path) -> None:
    one, two = static_image(tmp_path, "one"), static_image(tmp_path, "two")
    assert one.digest == two.digest
    assert static_image(tmp_path, "three", cmd=("other",)).digest != one.digest


def test_times_owners_and_order_do_not_count(tmp_path: Path) -> None:
    for name, names in (("a", ["x", "y"]), ("b", ["y", "x"])):
        folder = tmp_path / name
        folder.mkdir()
        for each in names:
            (folder / each).write_text(each)
            os.utime(folder / each, (len(name), len(each)))
        (folder / "link").symlink_to("x")
        (folder / "skipped").mkdir()
    made = [
        make_test_image(
            tmp_path, f"image-{n}", list(entries_of(tmp_path / n, "app", skip=["skipped"]))
        )
        for n in "ab"
    ]
    assert made[0].digest == made[1].digest


@pytest.fixture(autouse=True)
def _no_logins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where skopeo looks by itself an ordinary user may not read."""
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))


def test_skopeo_reads_an_image_of_ours(image_registry: Registry, static_layout: TestImage) -> None:
    skopeo = program("skopeo")
    where = f"docker://{image_registry.host}/app:1"
    said = subprocess.check_output([skopeo, "inspect", "--tls-verify=false", where])
    assert json.loads(said)["Digest"] == static_layout.digest
    assert json.loads(said)["Env"] == ["PATH=/", "OF=image"]


def test_a_registry_with_a_password(locked_registry: Registry) -> None:
    command = [program("skopeo"), "inspect", "--tls-verify=false"]
    where = f"docker://{locked_registry.host}/app:1"
    assert subprocess.run([*command, where], capture_output=True).returncode != 0
    subprocess.check_output([*command, "--creds", f"{USER}:{PASSWORD}", where])


def test_the_program_runs_from_its_archive(tmp_path: Path, static_layout: TestImage) -> None:
    where = f"oci-archive:{static_layout.archive()}"
    said = subprocess.check_output([program("skopeo"), "inspect", where])
    assert json.loads(said)["Os"] == "linux"
