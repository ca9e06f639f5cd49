"""``hearth simulate`` with files as a user has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hearth.cli import main
from hearth.cli.errors import UserError

SERVICE = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec:
  template:
    metadata:
      annotations: {autoscaling.knative.dev/max-scale: "2"}
    spec:
      containerConcurrency: 1
      containers: [{image: dev.local/app}]
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: config-autoscaler, namespace: knative-serving}
data: {stable-window: 20s}
"""


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(main.app, ["simulate", *arguments])


def told(*arguments: str) -> dict[str, Any]:
    result = simulate(*arguments, "-o", "json")
    assert result.exit_code == 0, result
    return dict(json.loads(result.output))


def test_a_trace_a_service_and_settings(tmp_path: Path) -> None:
    trace, service, config = (tmp_path / name for name in ("t.csv", "s.yaml", "c.yaml"))
    trace.write_text("second,requests\n10,5\n120,0\n")
    service.write_text(SERVICE)
    config.write_text(CONFIG)
    asked = (str(trace), "--service", str(service), "--service-time", "1s", "--pod-start", "500ms")
    found = told(*asked)
    assert (found["requests"], found["mostPodsOfAService"], found["coldStarts"]) == (5, 2, 1)
    # Five requests of a second each on two pods: the last begins after two others.
    assert 1.4 <= found["waiting"]["max"] <= 3.5
    assert found["seconds"] == 121
    shorter = told(*asked, "--config", str(config))
    assert shorter["podSeconds"] < found["podSeconds"] - 40


def test_a_pattern_as_table_and_plot(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    result = simulate("--pattern", "bursts", "--rate", "5", "--for", "20m", "--plot", str(plot))
    assert result.exit_code == 0, result
    assert "1 service, 20 min" in result.output
    assert "waiting p50, p95, p99" in result.output
    assert f"drawn: {plot}" in result.output
    assert plot.read_text().startswith("<svg")


def test_the_same_seed_gives_the_same_result() -> None:
    asked = ("--pattern", "step", "--rate", "2", "--for", "5m", "--services", "3")
    results = [told(*asked, "--seed", seed) for seed in ("1", "1", "2")]
    for result in results:
        result["method"].pop("took"), result["method"].pop("seed")
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a file of requests, or a --pattern"),
        (("nothing.csv",), "nothing.csv cannot be read"),
        (("bad.csv",), "bad.csv: line 1"),
        (("--pattern", "x"), "--pattern x: it is one of constant, step"),
        (("--pattern", "step", "--for", "x"), "--for: time: invalid duration"),
        (("--pattern", "step", "--for", "9000h"), "between 1s and 744h"),
        (("--pattern", "step", "--service-time", "x"), "a duration is"),
        (("--pattern", "step", "--service", "bad.csv"), "0 objects of kind Service"),
        (("--pattern", "step", "--config", "bad.yaml"), "bad.yaml is no YAML"),
        (("--pattern", "step", "-o", "svg"), "--output svg: it is one of table, json"),
    ],
)
def test_what_cannot_be_simulated_is_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("when,what\n")
    (tmp_path / "bad.yaml").write_text("a: [")
    result = simulate(*arguments)
    assert isinstance(result.exception, UserError), result
    assert said in str(result.exception)
