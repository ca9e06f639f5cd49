"""Log output: text lines for a terminal, JSON lines for a cluster.

Call sites log a constant message and put their facts into ``extra``; both forms show them.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from hearth.kube.clock import rfc3339_micro

_OURS = ("activator", "eventing", "hearth", "serving")
_STANDARD = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", None, None)) | {"message": "", "asctime": ""}
) | {"taskName", "color_message"}


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {k: v for k, v in vars(record).items() if k not in _STANDARD}


class TextFormatter(logging.Formatter):
    """Writes lines such as ``17:03:12.123 INFO  activator  route table published  routes=3``."""

    default_time_format = "%H:%M:%S"
    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        """Makes the line; an exception's traceback follows on lines of its own."""
        facts = "".join(f"  {key}={value}" for key, value in _facts(record).items())
        when = self.formatTime(record)
        line = f"{when} {record.levelname:<7} {record.name}  {record.getMessage()}{facts}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """Writes one JSON object a line: ts, level, logger, message and the facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Makes the line; an exception's traceback is its field ``exception``."""
        entry: dict[str, Any] = {
            "ts": rfc3339_micro(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= _facts(record)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


class _Base:
    """The level that the process was begun with."""

    level = "INFO"


def configure_logging(
    *, level: str = "INFO", as_json: bool = False, stream: TextIO = sys.stderr
) -> None:
    """Sets the one handler of the process.

    ``level`` is that of our own packages. Libraries say no more than warnings, whatever it is: some
    tell of each request, with URLs that hold users' secrets.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    _Base.level = level
    set_levels(dict.fromkeys(_OURS, ""))


def set_levels(levels: Mapping[str, str]) -> None:
    """Set the levels of packages of ours; "" is what the process was begun with."""
    for package, level in levels.items():
        base = _Base.level if package in _OURS else logging.NOTSET
        logging.getLogger(package).setLevel(level or base)
