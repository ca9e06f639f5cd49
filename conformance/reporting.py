"""The plugin that marks tests with their rules, and writes the report."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
import yaml

from conformance.rules import RULES, Report, rules_of

REPORT = pytest.StashKey[Report]()
KNOWN = pytest.StashKey[dict[str, str]]()
OURS = Path(__file__).parent / "deviations.yaml"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rule(*ids): rules of the specifications; see rules.py")
    config.stash[REPORT] = Report()
    given = config.getoption("--known")
    # What a Hearth of our own is known to do otherwise; another implementation has its own list.
    path = Path(given) if given else None if config.getoption("--kubeconfig") else OURS
    config.stash[KNOWN] = yaml.safe_load(path.read_text()) or {} if path else {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    known = config.stash[KNOWN]
    for item in items:
        ids = rules_of(item)
        item.user_properties += [(each, RULES[each].link) for each in ids]
        name = item.name if item.name in known else item.originalname  # type: ignore[attr-defined]
        if name in known:
            item.add_marker(pytest.mark.xfail(reason=known[name], strict=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    ids = rules_of(item)
    if ids and (report.when == "call" or not report.passed):
        expected = hasattr(report, "wasxfail")
        outcome = "deviates" if expected and report.skipped else report.outcome
        note = str(getattr(report, "wasxfail", "")) or _why_skipped(report)
        name = item.originalname  # type: ignore[attr-defined]
        item.config.stash[REPORT].add(ids, name, outcome, note)
    return report


def _why_skipped(report: pytest.TestReport) -> str:
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return ""
    return str(report.longrepr[2]).removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    path = config.getoption("--report")
    if not path:
        return
    subject = (
        config.getoption("--kubeconfig")
        or config.getoption("--broker-url")
        or config.getoption("--channel-url")
        or "a Hearth on one machine"
    )
    Path(path).write_text(config.stash[REPORT].markdown(subject))
    terminalreporter.write_line(f"report: {path}")
