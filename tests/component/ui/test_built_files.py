"""The live page's files: those that are committed are what the source gives, and small.

Where there is no npm these tests are skipped, and with ``HEARTH_REQUIRE_SERVERS=1`` they fail.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[3] / "hearth/ui/web"
MOST_BYTES = 150_000
_MADE_HERE = ("node_modules", "dist", ".tests")


def ran(*command: str, folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source, with the packages that the lock names."""
    if shutil.which("npm") is None:
        why = "there is no npm: the live page's files were not built anew"
        if os.environ.get("HEARTH_REQUIRE_SERVERS"):
            pytest.fail(f"{why}, and HEARTH_REQUIRE_SERVERS is set")
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("page") / "web"
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns(*_MADE_HERE))
    ran("npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_built_files_are_what_the_source_gives(source: Path) -> None:
    ran("npm", "run", "--silent", "build", folder=source)
    assert files(source / "dist") == files(WEB / "dist"), "make ui builds them anew"


def test_the_types_are_right_and_the_decisions_too(source: Path) -> None:
    ran("npm", "run", "--silent", "check", folder=source)
    assert "fail 0" in ran("npm", "run", "--silent", "test", folder=source)


def test_all_of_it_is_small_enough() -> None:
    built = files(WEB / "dist")
    packed = [
        data if name.endswith(".woff2") else gzip.compress(data, 6) for name, data in built.items()
    ]
    assert sum(map(len, packed)) <= MOST_BYTES


def test_the_page_takes_nothing_from_elsewhere() -> None:
    page = (WEB / "dist/index.html").read_text()
    assert 'src="/assets/app.js"' in page
    assert "://" not in page
    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count("<script src=") + page.count('"module" src=')


def test_the_lock_names_no_registry() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert packages["node_modules/preact"]["integrity"]
    public = "https://registry.npmjs.org/"
    assert all(each.get("resolved", public).startswith(public) for each in packages.values())
