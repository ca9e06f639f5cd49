"""The plugin that marks tests with their rules, and writes the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.rules import RULES, Report, rules_of

_REPORT = Report()
KNOWN = pytest.StashKey[dict[str, str]]()
SHARE_SERVICES = {f"test_serving_{each}.py" for each in ("contract", "images", "runtime")}
OURS = Path(__file__).parent / "deviations.yaml"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rule(*ids): rules of the specifications; see rules.py")
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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers: a module's tests belong to one, those that share Services too."""
    from xdist.scheduler import LoadScopeScheduling

    class ByServices(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0].rpartition("/")[2]
            return "programs" if module in SHARE_SERVICES else module

    return ByServices(config, log)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what became of a test; where workers run them, they send their reports here."""
    ids = [name for name, _ in report.user_properties if name in RULES]
    if ids and (report.when == "call" or not report.passed):
        expected = hasattr(report, "wasxfail")
        outcome = "deviates" if expected and report.skipped else report.outcome
        note = str(getattr(report, "wasxfail", "")) or _why_skipped(report)
        _REPORT.add(ids, report.location[2].partition("[")[0], outcome, note)


def _why_skipped(report: pytest.TestReport) -> str:
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return ""
    return str(report.longrepr[2]).removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    path = config.getoption("--report")
    if not path or hasattr(config, "workerinput"):
        return
    subject = (
        config.getoption("--kubeconfig")
        or config.getoption("--broker-url")
        or config.getoption("--channel-url")
        or "a Hearth on one machine"
    )
    Path(path).write_text(_REPORT.markdown(subject))
    terminalreporter.write_line(f"report: {path}")
