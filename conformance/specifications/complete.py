"""Holds the tables against the specifications they are about: is a sentence missing?

    python conformance/specifications/complete.py FOLDER...

where each FOLDER is a clone of github.com/knative/specs or of github.com/cloudevents/spec. Every
sentence with MUST, SHALL, SHOULD, REQUIRED or RECOMMENDED needs a rule whose ``words`` it has, and
all words have to be found.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

_LEVEL = re.compile(r"\b(MUST|SHALL|SHOULD|REQUIRED|RECOMMENDED|IMMUTABLE)\b")
_IS_ABOUT_WORDS = ("The key words", "- REQUIRED", "REQUIRED", "#")
_FENCE = re.compile(r"^```.*?^```", re.S | re.M)
_TAG = re.compile(r"<[^>]+>")
_LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_END = re.compile(r"(?<=[.:;])\s+(?=[A-Z\-])")
_ITEM = re.compile(r"\s*([-*#|]|\d+\.|<t[rd]|$)")


def main(folders: list[str]) -> int:
    faults = 0
    for table in sorted(Path(__file__).parent.glob("*.yaml")):
        content = yaml.safe_load(table.read_text())
        text = _document(content["source"], folders)
        faults += _report(table.name, content["rules"], text)
    return 1 if faults else 0


def _document(source: str, folders: list[str]) -> str:
    _, _, _, _, ref, path = urlsplit(source).path.split("/", 5)
    for folder in folders:
        command = ["git", "-C", folder, "show", f"{ref}:{path}"]
        shown = subprocess.run(command, capture_output=True, text=True)
        if shown.returncode == 0:
            return shown.stdout
    raise SystemExit(f"no folder has {source}")


def _report(name: str, rules: dict[str, dict[str, str]], text: str) -> int:
    whole = _plain(text)
    lost = [key for key, rule in rules.items() if rule["words"] not in whole]
    missing = [
        sentence
        for sentence in sentences(text)
        if not any(rule["words"] in sentence for rule in rules.values())
    ]
    print(f"{name}: {len(rules)} rules, {len(lost)} not found, {len(missing)} sentences without")
    for key in lost:
        print(f"  not found: {key}: {rules[key]['words']}")
    for sentence in missing:
        print(f"  without a rule: {sentence}")
    return len(lost) + len(missing)


def sentences(text: str) -> Iterator[str]:
    """Yields the sentences that ask for something, as plain text."""
    block: list[str] = []
    for line in [*_FENCE.sub("", text).splitlines(), ""]:
        if _ITEM.match(line):
            for sentence in _END.split(_plain(" ".join(block))):
                asks = _LEVEL.search(sentence) is not None
                if asks and not sentence.startswith(_IS_ABOUT_WORDS):
                    yield sentence
            block = []
        block.append(line)


def _plain(text: str) -> str:
    text = _LINK.sub(r"\1", _TAG.sub(" ", html.unescape(text)))
    return re.sub(r"\s+", " ", re.sub(r"[`*_\\]", "", text)).strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
