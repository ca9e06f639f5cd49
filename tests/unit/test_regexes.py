"""What regular expressions must not use, for the sake of the Pythons that Hearth runs on."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("activator", "eventing", "hearth", "serving")
# Sets and single characters may be possessive; groups may not, nor be atomic.
RAW = re.compile(r"""\br[bf]?["']|\bre\.compile""")
SETS = re.compile(r"\[\]?(?:\\.|[^\]\\])+\]")
BROKEN = re.compile(r"\)[*+?]\+|\)\{[0-9,]+\}\+|\(\?>")


def test_no_group_is_possessive() -> None:
    """Python before 3.11.5 matches them wrongly, and Debian 12 comes with 3.11.2."""
    assert BROKEN.search("(?:a|b)*+") and BROKEN.search("(a){1,2}+") and BROKEN.search("(?>a)")
    assert BROKEN.search("[a-z]++") is None
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in path.read_text().splitlines()
        if RAW.search(line) and BROKEN.search(SETS.sub("x", line))
    ]
    assert found == []
