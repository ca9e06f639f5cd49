"""Holds the tables against the specifications they are about: is a sentence missing?

    python conformance/specifications/complete.py FOLDER...

where each FOLDER is a clone of github.com/knative/specs or of github.com/cloudevents/spec. Every
sentence with MUST, SHALL, SHOULD, REQUIRED or RECOMMENDED needs a rule whose ``words`` it has, and
all words have to be found. Of a table with ``whole: true`` also those with MAY and OPTIONAL,
and a row of a table in HTML is one sentence.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

_LEVEL = re.compile(r"\b(MUST|SHALL|SHOULD|REQUIRED|RECOMMENDED|IMMUTABLE)\b")
_PERMITS = re.compile(_LEVEL.pattern + r"|\b(MAY|OPTIONAL|FORBIDDEN)\b")
_ROW = re.compile(r"<tr>.*?</tr>", re.S)
_IS_ABOUT_WORDS = ("The key words", "- REQUIRED", "REQUIRED", "#")
_FENCE = re.compile(r"^```.*?^```", re.S | re.M)
_TAG = re.compile(r"<[/a-zA-Z!][^>]*>")
_LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_END = re.compile(r"(?<=[.:;])\s+(?=[A-Z\-])")
_ITEM = re.compile(r"\s*([-*#|]|\d+\.|<t[rd]|$)")


def main(folders: list[str]) -> int:
    tables = [
        yaml.safe_load(path.read_text()) for path in sorted(Path(__file__).parent.glob("*.yaml"))
    ]
    by_source: dict[str, list[dict[str, Any]]] = {}
    for table in tables:
        by_source.setdefault(table["source"], []).append(table)
    faults = 0
    for source, about in by_source.items():
        rules = {key: rule for table in about for key, rule in table["rules"].items()}
        text = _document(source, folders)
        found = sentences(text, whole=any("whole" in table for table in about))
        faults += _report(source.rpartition("/")[2], rules, _plain(text), found)
    return 1 if faults else 0


def _document(source: str, folders: list[str]) -> str:
    _, _, _, _, ref, path = urlsplit(source).path.split("/", 5)
    for folder in folders:
        command = ["git", "-C", folder, "show", f"{ref}:{path}"]
        shown = subprocess.run(command, capture_output=True, text=True)
        if shown.returncode == 0:
            return shown.stdout
    raise SystemExit(f"no folder has {source}")


def _report(name: str, rules: dict[str, dict[str, str]], whole: str, found: Iterator[str]) -> int:
    lost = [key for key, rule in rules.items() if rule["words"] not in whole]
    missing = [
        sentence
        for sentence in found
        if not any(rule["words"] in sentence for rule in rules.values())
    ]
    print(f"{name}: {len(rules)} rules, {len(lost)} not found, {len(missing)} sentences without")
    for key in lost:
        print(f"  not found: {key}: {rules[key]['words']}")
    for sentence in missing:
        print(f"  without a rule: {sentence}")
    return len(lost) + len(missing)


def sentences(text: str, *, whole: bool = False) -> Iterator[str]:
    """Yields the sentences that ask for something, as plain text."""
    level = _PERMITS if whole else _LEVEL
    if whole:
        yield from (row for row in map(_plain, _ROW.findall(text)) if level.search(row))
        text = _ROW.sub("\n\n", text)
    block: list[str] = []
    for line in [*_FENCE.sub("", text).splitlines(), ""]:
        if _ITEM.match(line):
            for sentence in _END.split(_plain(" ".join(block))):
                asks = level.search(sentence) is not None
                if asks and not sentence.startswith(_IS_ABOUT_WORDS):
                    yield sentence
            block = []
        block.append(line)


def _plain(text: str) -> str:
    text = _LINK.sub(r"\1", _TAG.sub(" ", html.unescape(text)))
    return re.sub(r"\s+", " ", re.sub(r"[`*_\\]", "", text)).strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
