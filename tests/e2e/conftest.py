"""Makes the support module importable by its name, and its fixture known to every test here."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from e2e_support import hearth

__all__ = ["hearth"]
