"""Documentation that can drift is held against the code: commands, settings, metrics, reasons."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer.main
import yaml
from prometheus_client.metrics_core import Metric

from activator.addon import Followed
from activator.dataplane import DataPlane
from activator.failures import ALL_FAILURES
from activator.metrics import ActivatorCollector
from activator.peers import Peers
from activator.policies import Policy
from activator.reporter import Reporter
from activator.routes import BackendRef
from eventing.api.settings import DEFAULT_FEATURES, BrokerDefaults, Observability
from eventing.runtime.metrics import BrokerMetrics
from eventing.sources.kafka.metrics import LAG, RECORDS
from eventing.sources.ping.metrics import TICKS
from eventing.sources.webhook.metrics import REQUESTS
from hearth.cli.main import app
from hearth.cluster.node.runtime.api import Runtime
from hearth.cluster.node.runtime.processes import environment as node
from hearth.cluster.node.usagemetrics import UsageCollector
from hearth.keda.admission.reviews import ERRORS, VALIDATIONS
from hearth.keda.api.httproutes import HttpRoute
from hearth.keda.operator.metrics import ALL as KEDA
from hearth.knative.leaderelection import LeaderElectionConfig
from hearth.knative.settings import parsers
from hearth.observability.metrics import (
    CAUGHT,
    LEADING,
    QUEUE_DEPTH,
    RECONCILE_SECONDS,
    RECONCILES,
    SPANS,
)
from serving.api.settings import Settings
from serving.autoscaler.metrics import AutoscalerMetrics, PodCounts
from serving.autoscaler.multiscaler import Multiscaler

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
COMMON = {"--name", "--data-dir", "--help|-h", "-h|--help", "--yes|-y"}


@pytest.fixture(scope="module")
def operations() -> str:
    return (DOCS / "operations.md").read_text()


# -- commands -----------------------------------------------------------------------------------


def _commands() -> list[tuple[str, list[str]]]:
    """Every command of the command line with the options that it shows and their short forms."""
    found = []
    root = typer.main.get_command(app)
    stack = [("hearth", root)]
    while stack:
        path, command = stack.pop()
        children = getattr(command, "commands", None)
        if children:
            stack += [(f"{path} {name}", child) for name, child in children.items()]
            continue
        shown = [each for each in command.params if not getattr(each, "hidden", False)]
        options = ["|".join(each.opts) for each in shown if each.opts[0].startswith("--")]
        found.append((path, options))
    return sorted(found)


@pytest.mark.parametrize(("command", "options"), _commands(), ids=lambda v: str(v)[:40])
def test_every_command_is_documented(command: str, options: list[str], operations: str) -> None:
    row = next((r for r in operations.splitlines() if f"`{command}" in r and r.startswith("|")), "")
    assert row, f"docs/operations.md has no row for {command}"
    missing = [o for o in options if o not in COMMON and not any(n in row for n in o.split("|"))]
    assert missing == []


PACKAGES = ("hearth", "serving", "activator", "eventing")


def _readmes() -> list[Path]:
    found = (readme for name in PACKAGES for readme in (ROOT / name).rglob("README.md"))
    return sorted(readme for readme in found if "node_modules" not in readme.parts)


def _documents() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")), *_readmes()]


def test_the_architecture_leads_to_the_readme_of_every_package() -> None:
    text = (DOCS / "architecture.md").read_text()
    assert len(_readmes()) > 8
    assert [path for path in _readmes() if f"(../{path.relative_to(ROOT)})" not in text] == []


def test_the_places_that_the_architecture_names_exist() -> None:
    named = re.findall(r"`([a-z0-9_/]+/[a-z0-9_./]+)`", (DOCS / "architecture.md").read_text())
    assert len(named) > 5
    assert [place for place in named if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_documents_a_document_names_exist(document: Path) -> None:
    named = [part.split(")")[0].partition("#")[0] for part in document.read_text().split("](")[1:]]
    local = [name for name in named if name and not name.startswith("http")]
    assert [name for name in local if not (document.parent / name).exists()] == []


def test_the_places_that_the_glossary_names_exist() -> None:
    rows = [row for row in (DOCS / "glossary.md").read_text().splitlines() if row.startswith("| ")]
    places = [place for row in rows for place in row.split("|")[-2].split("`")[1::2]]
    assert len(places) > 50
    assert [place for place in places if not (ROOT / place).exists()] == []


# -- settings -----------------------------------------------------------------------------------


class _Asked(dict[str, str]):
    """The data of a ConfigMap that notes which keys are asked for."""

    def __init__(self, data: Mapping[str, str]) -> None:
        super().__init__(data)
        self.keys_asked: set[str] = set()

    def __contains__(self, key: object) -> bool:
        self.keys_asked.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.keys_asked.add(key)
        return super().get(key, default)


_Parse = Callable[[Mapping[str, str]], object]

CONFIG_MAPS: dict[str, _Parse] = {
    # Keys of config-domain are domains; no list of them could be held against a table.
    **{name: parse for name, parse in parsers(Settings).items() if name != "config-domain"},
    "config-leader-election": LeaderElectionConfig.from_data,
}


def _section(text: str, heading: str) -> str:
    _, found, rest = text.partition(f"\n### {heading}\n")
    assert found, f"docs/operations.md has no section {heading}"
    return rest.partition("\n## ")[0].partition("\n### ")[0]


def _rows(section: str) -> dict[str, str]:
    """The table of a section: keys and what stands under ``default``."""
    rows = [row.strip("| ").split(" | ") for row in section.splitlines() if row.startswith("| `")]
    return {row[0].strip("`"): row[1] for row in rows}


def _documented_defaults(section: str) -> dict[str, str]:
    """Keys and defaults; keys without a default are left out."""
    return {key: text.strip("`") for key, text in _rows(section).items() if text[0] == "`"}


@pytest.mark.parametrize("name", CONFIG_MAPS)
def test_every_setting_is_documented(name: str, operations: str) -> None:
    section = _section(operations, name)
    asked = _Asked({})
    CONFIG_MAPS[name](asked)
    assert asked.keys_asked, "a parser that asks for nothing would make this test void"
    assert [key for key in sorted(asked.keys_asked) if f"`{key}`" not in section] == []


@pytest.mark.parametrize("name", [name for name in CONFIG_MAPS if "," not in name])
def test_the_documented_defaults_are_the_defaults(name: str, operations: str) -> None:
    parse, documented = CONFIG_MAPS[name], _documented_defaults(_section(operations, name))
    for key, value in documented.items():
        assert parse({key: value}) == parse({}), f"{key}: {value} is not the default"


def test_no_setting_is_documented_that_nobody_reads(operations: str) -> None:
    for name, parse in CONFIG_MAPS.items():
        asked = _Asked({})
        parse(asked)
        assert _rows(_section(operations, name)).keys() <= asked.keys_asked


def test_the_settings_of_eventing_are_documented(operations: str) -> None:
    section = _section(operations, "config-features of eventing")
    assert _documented_defaults(section) == DEFAULT_FEATURES
    section = _section(operations, "config-observability of eventing")
    asked = _Asked({})
    Observability.from_data(asked)
    assert _rows(section).keys() == asked.keys_asked
    for key, value in _documented_defaults(section).items():
        assert Observability.from_data({key: value}) == Observability(), key
    section = _section(operations, "config-br-defaults")
    asked = _Asked({"another": ""})
    with pytest.raises(ValueError):
        BrokerDefaults.from_data(asked)
    assert [key for key in asked.keys_asked if f"`{key}`" not in section] == []


# -- metrics ------------------------------------------------------------------------------------

METRIC_MODULES = {
    "activator/metrics.py",
    "eventing/runtime/main.py",  # registers only
    "eventing/runtime/metrics.py",
    "eventing/sources/kafka/metrics.py",
    "eventing/sources/ping/metrics.py",
    "eventing/sources/webhook/metrics.py",
    "hearth/cluster/node/usagemetrics.py",
    "hearth/keda/admission/reviews.py",
    "hearth/keda/operator/metrics.py",
    "hearth/observability/metrics.py",
    "serving/autoscaler/metrics.py",
}


def _families() -> Iterable[Metric]:
    """Every metric family the code defines."""
    yield from RECONCILES.describe()
    yield from RECONCILE_SECONDS.describe()
    yield from QUEUE_DEPTH.describe()
    yield from LEADING.describe()
    yield from CAUGHT.describe()
    yield from SPANS.describe()
    yield from TICKS.describe()
    yield from REQUESTS.describe()
    for each in (LAG, RECORDS, VALIDATIONS, ERRORS, *KEDA):
        yield from each.describe()
    yield from UsageCollector(cast(Runtime, None)).describe()
    yield from BrokerMetrics().collect()
    plane = DataPlane()
    reporter = cast(Reporter, SimpleNamespace(is_reachable=True, connect_errors=0))
    peers = cast(Peers, SimpleNamespace(count=2))
    policy = Policy("ns", "route")
    policy.counts.add(b"GET", 200, 0.1)
    followed = Followed(
        cast(HttpRoute, None), policy, plane.backends.resolve(BackendRef("ns", "service"))
    )
    yield from ActivatorCollector(plane, reporter, peers, followed=lambda: [followed]).collect()
    multiscaler = cast(Multiscaler, SimpleNamespace(deciders={}))
    yield from AutoscalerMetrics(
        multiscaler, podautoscaler=lambda key: None, pods=lambda key: PodCounts()
    ).collect()


def test_every_metric_is_documented(operations: str) -> None:
    exposed = [f.name + ("_total" if f.type == "counter" else "") for f in _families()]
    assert len(exposed) > 30
    assert [name for name in exposed if f"`{name}`" not in operations] == []


def _expressions(content: Any) -> Iterable[str]:
    """Every expression of a rule or dashboard, and what its variables ask."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key in ("expr", "query") and isinstance(value, str):
                yield value
            else:
                yield from _expressions(value)
    elif isinstance(content, list):
        for item in content:
            yield from _expressions(item)


MONITORING = ROOT / "config" / "monitoring"
OF_THE_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
LABELS = re.compile(
    r"\{[^}]*\}|\b(?:by|on)\s*\([^)]*\)|label_values\(\w+(?=,)|, k\w+\)$|\{\{.*?\}\}"
)
NAME = re.compile(r"\b(?:kn|hearth|process|container)_\w+")


@pytest.mark.parametrize("path", [*MONITORING.glob("dashboards/*.json"), MONITORING / "rules.yaml"])
def test_every_metric_that_is_monitored_exists(path: Path) -> None:
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    known = {f.name + end for f in _families() for end in suffixes.get(f.type, [""])}
    expressions = list(_expressions(yaml.safe_load(path.read_text())))
    named = {name for each in expressions for name in NAME.findall(LABELS.sub("", each))}
    assert len(named) >= 3
    assert named - known - OF_THE_PROCESS == set()


def test_every_alert_is_documented(operations: str) -> None:
    rules = yaml.safe_load((MONITORING / "rules.yaml").read_text())["spec"]["groups"]
    alerts = [rule["alert"] for group in rules for rule in group["rules"] if "alert" in rule]
    assert len(alerts) > 10
    assert [alert for alert in alerts if f"`{alert}`" not in operations] == []


def test_metrics_are_defined_nowhere_else() -> None:
    """Else ``_families`` would not know them."""
    packages = [ROOT / name for name in ("hearth", "serving", "activator", "eventing")]
    found = {
        str(path.relative_to(ROOT))
        for package in packages
        for path in package.rglob("*.py")
        if "prometheus_client" in path.read_text() and _imports_prometheus(path)
    }
    assert found == METRIC_MODULES


def _imports_prometheus(path: Path) -> bool:
    for found in ast.walk(ast.parse(path.read_text())):
        module = found.module or "" if isinstance(found, ast.ImportFrom) else ""
        if module.startswith("prometheus") and module != "prometheus_client.parser":
            return True
        names = [alias.name for alias in found.names] if isinstance(found, ast.Import) else []
        if any(name.startswith("prometheus") for name in names):
            return True
    return False


# -- what the gateway answers, what containers get ------------------------------------------------


def test_every_reason_of_the_gateway_is_documented(operations: str) -> None:
    rows = {f"| `{failure.reason}` | {failure.status} |" for failure in ALL_FAILURES}
    assert [row for row in sorted(rows) if row not in operations] == []


def test_every_variable_of_containers_is_documented(operations: str) -> None:
    given = node.make_base_environment(
        path="", home="", api_host="localhost", api_port=1, http_proxy="http://localhost"
    )
    names = [*given, node.NODE_MARK, node.POD_MARK, node.CONTAINER_MARK]
    assert [name for name in names if f"`{name}`" not in operations] == []
