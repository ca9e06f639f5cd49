"""The alert rules, by Prometheus' own tool: their grammar, and what they see and say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.e2e.support import prometheus_binary

CONFIG = Path(__file__).parents[3] / "config" / "monitoring"
ALERTS = Path(__file__).with_name("alerts.yaml")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load((CONFIG / "rules.yaml").read_text())["spec"]))
    return path


def _promtool(*arguments: str) -> str:
    done = subprocess.run(
        [prometheus_binary("promtool"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_rules(rules: Path) -> None:
    assert "SUCCESS" in _promtool("check", "rules", str(rules))


def test_alerts_see_what_they_should_and_nothing_else(rules: Path, tmp_path: Path) -> None:
    tests = tmp_path / "alerts.yaml"
    tests.write_text(ALERTS.read_text().replace("RULES", str(rules)))
    assert "SUCCESS" in _promtool("test", "rules", str(tests))
