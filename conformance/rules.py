"""The rules of the specifications, which tests hold them, and the report of a run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

FOLDER = Path(__file__).parent / "specifications"


@dataclass(frozen=True)
class Rule:
    """One sentence of a specification. ``untested`` says why it has no test."""

    id: str
    specification: str
    level: str
    says: str
    link: str
    untested: str = ""


def load(folder: Path = FOLDER) -> dict[str, Rule]:
    """Return all rules by their id."""
    rules: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.yaml")):
        table = yaml.safe_load(path.read_text())
        for key, entry in table["rules"].items():
            if key in rules:
                raise ValueError(f"{path.name}: {key} is there twice")
            link = f"{table['source']}#{entry['section']}:~:text={quote(entry['words'], safe='')}"
            rules[key] = Rule(
                key,
                table["title"],
                entry["level"],
                entry["says"],
                link,
                entry.get("untested", ""),
            )
    return rules


RULES = load()


def rule(*ids: str) -> pytest.MarkDecorator:
    """Say which rules a test is about."""
    unknown = [each for each in ids if each not in RULES]
    if unknown or not ids:
        raise ValueError(f"no such rule: {', '.join(unknown)}")
    return pytest.mark.rule(*ids)


def rules_of(item: pytest.Item) -> list[str]:
    """Return the ids that a test is marked with."""
    return [each for mark in item.iter_markers("rule") for each in mark.args]


_STATES = ("passed", "partly", "deviates", "failed", "skipped", "not run", "untested")


@dataclass
class Report:
    """What became of each rule's tests."""

    outcomes: dict[str, dict[str, set[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, ids: list[str], test: str, outcome: str, note: str = "") -> None:
        """Keep an outcome of a test, which may have several."""
        for each in ids:
            self.outcomes[each][test].add(outcome)
            if note:
                self.notes[each] = note

    def state(self, rule: Rule) -> str:
        """Return how a rule stands: as its worst test, and partly where some were skipped."""
        if rule.untested:
            return "untested"
        found = set().union(*self.outcomes.get(rule.id, {}).values())
        for worst in ("failed", "deviates"):
            if worst in found:
                return worst
        if found == {"passed", "skipped"}:
            return "partly"
        return next(iter(found), "not run")

    def markdown(self, subject: str) -> str:
        """Return the report as a page."""
        lines = ["# Conformance", "", f"Under test: {subject}", ""]
        by_specification: dict[str, list[Rule]] = defaultdict(list)
        for each in RULES.values():
            by_specification[each.specification].append(each)
        lines += self._summary(by_specification)
        for title, rules in by_specification.items():
            lines += ["", f"## {title}", "", "| rule | level | says | state | tests |"]
            lines += ["|---|---|---|---|---|", *(self._row(each) for each in rules)]
        return "\n".join(lines) + "\n"

    def _summary(self, by_specification: dict[str, list[Rule]]) -> list[str]:
        lines = [f"| specification | rules | {' | '.join(_STATES)} |", "|---|" + "---|" * 8]
        for title, rules in by_specification.items():
            counts = [sum(self.state(each) == state for each in rules) for state in _STATES]
            lines.append(f"| {title} | {len(rules)} | {' | '.join(map(str, counts))} |")
        return lines

    def _row(self, rule: Rule) -> str:
        tests = ", ".join(f"`{name}`" for name in sorted(self.outcomes.get(rule.id, {})))
        why = rule.untested or self.notes.get(rule.id, "")
        state = f"{self.state(rule)}: {why}" if why else self.state(rule)
        return f"| [{rule.id}]({rule.link}) | {rule.level} | {rule.says} | {state} | {tests} |"
