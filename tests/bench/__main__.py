"""``make bench``: runs the benchmarks, prints a Markdown table, writes JSON and a chart.

Every benchmark is a module here with ``rows()``, which makes a ``Row`` for each thing measured; one
of several parts names them in ``PARTS``, so that ``--only warm:pinned`` measures one. A goal is
written beside what was measured, reached or not. Nothing here is asserted. Each row is printed, and
written, as soon as it is there: a run that is cut loses only what it was at.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.bench.chart import draw
from tests.bench.rows import HEADER, Row, line

BENCHMARKS = (
    "startup",
    "services",
    "manyservices",
    "coldstart",
    "deploying",
    "bursts",
    "containers",
    "direct",
    "docker",
    "sleeping",
    "page",
    "pipelines",
    "apiserver",
    "warm",
    "codec",
    "http2codec",
    "http2",
    "bodies",
    "idle",
    "websockets",
    "observing",
    "keda",
    "tls",
    "events",
    "eventloads",
    "natsevents",
    "kafkaevents",
    "tracing",
    "backlogs",
    "yardstick",
    "kills",
    "activators",
    "workers",
    "nothinglost",
    "simulation",
)


def measured(wanted: str) -> Iterable[Row]:
    """The rows of ``NAME`` or ``NAME:PART``."""
    name, _, part = wanted.partition(":")
    module = importlib.import_module(f"tests.bench.{name}")
    found: Iterable[Row] = module.PARTS[part]() if part else module.rows()
    return found


def unknown(wanted: str) -> str:
    """What is wrong with ``NAME`` or ``NAME:PART``; nothing as a rule."""
    name, _, part = wanted.partition(":")
    if name not in BENCHMARKS:
        return f"no such benchmark: {name}; there are {', '.join(BENCHMARKS)}"
    parts = getattr(importlib.import_module(f"tests.bench.{name}"), "PARTS", {}) if part else {}
    if part and part not in parts:
        return f"no such part of {name}: {part}; there are {', '.join(parts) or 'none'}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--only", default="", help="names or NAME:PART, separated by commas")
    parser.add_argument("--out", type=Path, default=Path("bench-results.json"))
    options = parser.parse_args()
    wanted = [name for name in options.only.split(",") if name] or list(BENCHMARKS)
    for name in wanted:
        if problem := unknown(name):
            print(problem)
            return 2
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}\n")
    print(HEADER, flush=True)
    found: list[Row] = []
    for name in wanted:
        print(f"== {name}", file=sys.stderr, flush=True)
        began = time.monotonic()
        for each in measured(name):
            print(line(each), flush=True)
            found.append(each)
            options.out.write_text(json.dumps(found, indent=1))
        print(f"   {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    options.out.with_suffix(".svg").write_text(draw(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
