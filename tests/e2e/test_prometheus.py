"""A real Prometheus scrapes a running Hearth and evaluates the alert rules on what it finds."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.support import ROOT, SAMPLES, Hearth, a_service, prometheus_binary, wait_until
from tests.ports import free_port

pytestmark = pytest.mark.kubectl

MONITORING = ROOT / "config" / "monitoring"


class Prometheus:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **query: str) -> Any:
        url = f"{self._url}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=60):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def has(self, expression: str) -> bool:
        return bool(self.get("/api/v1/query", query=expression)["result"])


@pytest.fixture(scope="module")
def prometheus(hearth: Hearth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus with the project's rules, every process of Hearth a target of its own."""
    binary = prometheus_binary("prometheus")
    hearth.kubectl("apply", "-f", str(SAMPLES / "events.yaml"))  # its broker is a process, too
    hearth.kubectl("wait", "--for=condition=Ready", "trigger/mailer", "--timeout=90s")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    targets = [
        {
            "targets": [urllib.parse.urlsplit(process["metrics"]).netloc],
            "labels": {"pod": process["name"], "container": process["name"]},
        }
        for process in hearth.status()["processes"]
        if process["metrics"]
    ]
    _write(folder / "rules.yaml", yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"])
    _write(
        folder / "prometheus.yaml",
        {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [{"job_name": "hearth", "static_configs": targets}],
        },
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            running = Prometheus(port)
            wait_until(running.is_ready, what="Prometheus is ready")
            yield running
        finally:
            process.terminate()
            process.wait(30)


def _write(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content))


def test_every_process_is_scraped(prometheus: Prometheus) -> None:
    def up() -> bool:
        targets = prometheus.get("/api/v1/targets")["activeTargets"]
        assert [target["lastError"] for target in targets if target["lastError"]] == []
        return len(targets) == 5 and all(target["health"] == "up" for target in targets)

    wait_until(up, what="all targets are up")


def test_the_rules_hold_on_what_a_running_hearth_shows(
    hearth: Hearth, prometheus: Prometheus
) -> None:
    hearth.apply(a_service("seen"))
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/seen", "--timeout=90s")

    def counted() -> bool:
        assert hearth.request("seen").status == 200
        count = "kn_serving_invocation_duration_seconds_count"
        return prometheus.has(f'rate({count}{{kn_service_name="seen"}}[1m]) > 0')

    wait_until(lambda: prometheus.has('kn_revision_pods_count{kn_service_name="seen"}'))
    wait_until(counted, what="requests are counted")

    def evaluated() -> bool:
        groups = prometheus.get("/api/v1/rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert [rule["lastError"] for rule in rules if rule.get("lastError")] == []
        return len(rules) > 15 and all(rule["health"] == "ok" for rule in rules)

    wait_until(evaluated, what="every rule was evaluated without an error")
    assert prometheus.has('kn_workqueue_depth{pod="control"}')
