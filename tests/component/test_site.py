"""The documentation site is built, and a link of it that leads nowhere is an error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    out = tmp_path / "site"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    command += ["-c", "docs/site", ".", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, "")
    front = (out / "docs" / "index.html").read_text()
    inner = re.findall(r'href="([^":#]+\.html)', front)
    assert len(inner) > 15
    assert [href for href in inner if not (out / "docs" / href).resolve().exists()] == []
    assert "hearth deploy" in (out / "docs" / "reference" / "commands.html").read_text()
