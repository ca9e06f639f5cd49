"""All SQL of the API server: one append-only table of revisions in SQLite.

``id`` is the resource version. A row names the row it replaces (``previous``, 0 for none), and
``UNIQUE (key, previous)`` is the optimistic lock: two writes on top of one revision cannot both
be in. The current state is the newest row of each key, a deletion is a row with ``deleted``, a
watch is the rows after a revision. Used by ``store`` (loading, history) and ``writer`` (the rest).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """One revision of one object; ``value`` of a deletion is the object's last state."""

    id: int
    key: str
    previous: int
    deleted: bool
    written: float
    value: bytes


_SCHEMA = """
CREATE TABLE IF NOT EXISTS revision (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL,
  previous INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  written REAL NOT NULL,
  value BLOB NOT NULL,
  UNIQUE (key, previous)
);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO setting VALUES ('compacted', 0);
"""

_COLUMNS = "id, key, previous, deleted, written, value"
_INSERT = f"INSERT INTO revision ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
_CURRENT = f"""
SELECT {_COLUMNS} FROM revision WHERE id IN (SELECT max(id) FROM revision GROUP BY key) ORDER BY id
"""
_LAST = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'revision'"
_COMPACTED = "SELECT value FROM setting WHERE name = 'compacted'"
_SET_COMPACTED = "UPDATE setting SET value = ? WHERE name = 'compacted' AND value < ?"
_AFTER = """
SELECT now.id, now.key, now.previous, now.deleted, now.written, now.value,
       before.id, before.deleted, before.value
FROM revision AS now LEFT JOIN revision AS before ON before.id = now.previous
WHERE now.id > ? AND now.id <= ? AND now.key >= ? AND now.key < ?
ORDER BY now.id
"""
_OLDER_THAN = "SELECT coalesce(max(id), 0) FROM revision WHERE written < ?"
# What a compacted revision replaced goes; the newest row of each key stays: it is the state at the
# compaction revision and the "before" of the next row. An old deletion has nothing more to say.
_COMPACT = """
DELETE FROM revision
WHERE id IN (SELECT previous FROM revision WHERE id > ? AND id <= ? AND previous > 0)
   OR (id > ? AND id <= ? AND deleted)
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection for one thread at a time; every commit is on disk before it returns."""
    path.touch(mode=0o600)  # the files that SQLite adds beside it get the same mode
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    return connection


def create_tables(connection: sqlite3.Connection) -> None:
    """Makes the tables where they are not there yet."""
    connection.executescript(_SCHEMA)


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """All rows in one transaction, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(_INSERT, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def current_rows(connection: sqlite3.Connection) -> Iterator[Row]:
    """The newest row of each key, deletions included."""
    for columns in connection.execute(_CURRENT):
        yield _row(columns)


def _row(columns: Sequence[object]) -> Row:
    row = Row(*columns)  # type: ignore[arg-type]
    return row._replace(deleted=bool(row.deleted))


def last_revision(connection: sqlite3.Connection) -> int:
    """The newest revision ever given out; 0 for none."""
    return _number(connection.execute(_LAST))


def compacted_revision(connection: sqlite3.Connection) -> int:
    """The revision up to which history is gone; 0 for none."""
    return _number(connection.execute(_COMPACTED))


def revision_before(connection: sqlite3.Connection, moment: float) -> int:
    """The newest revision written before a moment."""
    return _number(connection.execute(_OLDER_THAN, (moment,)))


def _number(rows: Iterable[Sequence[object]]) -> int:
    for row in rows:
        return int(str(row[0]))
    return 0


def rows_after(
    connection: sqlite3.Connection, after: int, *, upto: int, prefix: str, max_bytes: int
) -> list[tuple[Row, Row | None]] | None:
    """The revisions of keys with a prefix, each with the live row it replaced.

    None where their objects are more than ``max_bytes`` in all.
    """
    rows: list[tuple[Row, Row | None]] = []
    size = 0
    with contextlib.closing(connection.cursor()) as cursor:
        bounds = (after, upto, prefix, prefix + "\U0010ffff")
        for columns in cursor.execute(_AFTER, bounds):
            row, before = _row(columns[:6]), _before(columns)
            size += len(row.value) + (len(before.value) if before else 0)
            if size > max_bytes:
                return None
            rows.append((row, before))
    return rows


def _before(columns: Sequence[object]) -> Row | None:
    identity, deleted, value = columns[6:]
    if identity is None or deleted:
        return None
    return _row((identity, columns[1], 0, 0, 0.0, value))


def compact(connection: sqlite3.Connection, after: int, upto: int) -> int:
    """Drops what the revisions in (after, upto] no longer need; returns how many rows went."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_SET_COMPACTED, (upto, upto))
        gone = connection.execute(_COMPACT, (after, upto, after, upto)).rowcount
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return gone
