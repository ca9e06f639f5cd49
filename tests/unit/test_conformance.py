"""The tables of the black-box suite are whole: each rule has a test or a reason."""

import re
from pathlib import Path

import pytest

from conformance.fields import RULES_BY_TABLE
from conformance.rules import RULES, Report

SUITE = Path(__file__).parents[2] / "conformance"
TESTS = "\n".join(path.read_text() for path in SUITE.glob("test_*.py"))
MARKED = {
    each
    for mark in re.findall(r"(?:@|marks=)rule\(([^)]*)\)", TESTS)
    for each in re.findall(r'"([A-Z]+-[^"{]+)"', mark)
} | RULES_BY_TABLE


def test_every_rule_has_a_test_or_a_reason_and_not_both():
    without = {each for each, rule in RULES.items() if not rule.untested} - MARKED
    assert without == set()
    assert {each for each, rule in RULES.items() if rule.untested} & MARKED == set()


def test_every_mark_is_of_a_rule():
    assert MARKED - RULES.keys() == set()


def test_every_rule_says_where_it_is_from():
    assert all(rule.says and rule.link.startswith("https://github.com/") for rule in RULES.values())
    assert {rule.level for rule in RULES.values()} <= {"MUST", "SHOULD", "MAY", "TABLE"}


def test_a_rule_some_of_whose_tests_were_skipped_stands_partly():
    report = Report()
    report.add(["DP-12"], "test_a", "skipped")
    assert report.state(RULES["DP-12"]) == "skipped"
    report.add(["DP-12"], "test_a", "passed")
    assert report.state(RULES["DP-12"]) == "partly"


def test_a_rule_stands_as_its_worst_test():
    report = Report()
    report.add(["DP-12"], "test_a", "passed")
    report.add(["DP-12"], "test_b", "failed")
    report.add(["DP-12"], "test_b", "passed")
    page = report.markdown("something")
    assert report.state(RULES["DP-12"]) == "failed"
    assert report.state(RULES["DP-04"]) == "not run"
    assert "| failed | `test_a`, `test_b` |" in page


UPSTREAMS = [
    "autoscale",
    "configmimic",
    "failing",
    "grpc-ping",
    "hellohttp2",
    "hellovolume",
    "helloworld",
    "httpproxy",
    "initcontainers",
    "multicontainer",
    "pizzaplanetv1",
    "pizzaplanetv2",
    "readiness",
    "runtime",
    "singlethreaded",
    "slowstart",
    "timeout",
    "volumes",
    "wsserver",
]


@pytest.mark.parametrize("name", UPSTREAMS)
def test_each_of_upstreams_images_has_a_twin_that_a_test_uses(name: str):
    folder = SUITE / "images" / name
    programs = [path.parent for path in folder.rglob("Dockerfile")]
    assert programs
    for program in programs:
        copied = re.search(r"^COPY (.+) /app/$", (program / "Dockerfile").read_text(), re.M)
        assert copied
        assert all((SUITE / "images" / each).is_file() for each in copied[1].split(" "))
        started = (program / "Procfile").read_text().split()[-1]
        assert (program / started).is_file()
    used = (SUITE / "test_serving_images.py").read_text()
    assert f"def test_{name.replace('-', '_')}_" in used or f'"{name}"' in used
