"""The documentation site, by Sphinx: ``make site``.

Every page is Markdown of this repository, read at its own place, so that links mean the same here
and in an editor. The reference is written anew each time, of the command line and the CRDs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from links import without_dead_links  # noqa: E402
from reference import write_reference  # noqa: E402

project, author = "Hearth", "The Hearth developers"
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/**.md",
    "samples/**/README.md",
    *(f"{name}/**/README.md" for name in ("hearth", "serving", "activator", "eventing")),
]
exclude_patterns = [".venv*", "build", "**/node_modules", "tests", "**/_data"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4
# A README that no list of contents names is reached by the links of others.
suppress_warnings = ["toc.not_included", "myst.header"]
html_theme = "furo"
html_title = "Hearth"
html_show_copyright = False
html_last_updated_fmt = None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", lambda app: write_reference(Path(app.srcdir)))
    app.connect("source-read", _read)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    page = Path(app.srcdir) / f"{name}.md"
    source[0] = without_dead_links(source[0], page, Path(app.srcdir), set(app.env.found_docs))
