"""Links that lead out of the site: to files and folders of the repository. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Set
from pathlib import Path

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\n]+)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")


def without_dead_links(text: str, page: Path, root: Path, pages: Set[str]) -> str:
    """Return a page's text, in which a link to what is no page of the site is its text alone.

    ``pages`` are names below ``root``, without ".md". A link to a folder becomes one to its README.
    """

    def replaced(found: re.Match[str]) -> str:
        target = found["target"]
        if ":" in target:
            return found[0]
        path = Path(os.path.normpath(page.parent / target))
        anchor = found["anchor"] or ""
        for candidate in (path, path / "README.md"):
            if candidate.suffix == ".md" and str(candidate.relative_to(root))[:-3] in pages:
                there = os.path.relpath(candidate, page.parent)
                return f"[{found['text']}]({there}{anchor})"
        return found["text"]

    return _LINK.sub(replaced, text)
