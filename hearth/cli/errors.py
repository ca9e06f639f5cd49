"""The one exception that commands show as a line instead of a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can put right; the text says how."""
