"""Makes the fixture of the support module known to every test here."""

from __future__ import annotations

from tests.e2e.support import hearth

__all__ = ["hearth"]
