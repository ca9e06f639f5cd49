"""What the page shows: rows by table and key, and which of them changed since when. Pure.

Viewers ask for what is newer than the version they have. However slow one is, all that is kept for
it is that number: rows that changed often meanwhile are told once, as they are by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Row = Mapping[str, Any]
Rows = dict[str, dict[str, Row | None]]
"""By table and key; None stands for a row that is gone."""

_MOST_GONE = 5000
"""Rows that are gone are remembered so far; a viewer that is further behind gets all anew."""


class Tables:
    """The rows of now, each with the version it has had since it last changed."""

    def __init__(
        self, on_change: Callable[[], None] = lambda: None, *, most_gone: int = _MOST_GONE
    ) -> None:
        self.version = 0
        self._on_change = on_change
        self._most_gone = most_gone
        self._rows: dict[str, dict[str, Row]] = {}
        self._count = 0
        self._changed: dict[tuple[str, str], int] = {}
        """In the order of versions, those gone included."""
        self._oldest = 0
        """Whoever has an older version cannot be told what changed."""

    def put(self, table: str, key: str, row: Row) -> bool:
        """Set a row; whether that is news."""
        rows = self._rows.setdefault(table, {})
        known = rows.get(key)
        if known == row:
            return False
        self._count += known is None
        rows[key] = row
        return self._note(table, key)

    def drop(self, table: str, key: str) -> bool:
        """Take a row away; whether it was there."""
        if self._rows.get(table, {}).pop(key, None) is None:
            return False
        self._count -= 1
        return self._note(table, key)

    def replace(self, table: str, rows: Mapping[str, Row]) -> bool:
        """Make these the rows of a table; whether that is news."""
        gone = [key for key in self._rows.get(table, {}) if key not in rows]
        news = [self.drop(table, key) for key in gone]
        news += [self.put(table, key, row) for key, row in rows.items()]
        return any(news)

    def rows(self, table: str) -> Mapping[str, Row]:
        """Return the rows of a table."""
        return self._rows.get(table, {})

    def all(self) -> dict[str, dict[str, Row]]:
        """Return every row, by table and key."""
        return self._rows

    def since(self, version: int) -> Rows | None:
        """Return what changed after a version; None where that is not known any more."""
        if not self._oldest <= version <= self.version:
            return None
        found: Rows = {}
        for (table, key), changed in reversed(self._changed.items()):
            if changed <= version:
                break
            found.setdefault(table, {})[key] = self._rows.get(table, {}).get(key)
        return found

    def _note(self, table: str, key: str) -> bool:
        self.version += 1
        self._changed.pop((table, key), None)
        self._changed[table, key] = self.version
        while len(self._changed) > self._count + self._most_gone:
            oldest = next(iter(self._changed))
            self._oldest = self._changed.pop(oldest)
        self._on_change()
        return True
