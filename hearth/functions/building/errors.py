"""What goes wrong while an application is built."""

from __future__ import annotations


class BuildError(Exception):
    """A tool failed or is missing; the text has its last words and what to do."""
