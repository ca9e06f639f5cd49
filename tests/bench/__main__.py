"""``make bench``: runs the benchmarks, prints a Markdown table, writes JSON and a chart.

Every benchmark is a module here with ``rows() -> list[Row]``; a goal is written beside what was
measured, reached or not. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import time
from pathlib import Path

from tests.bench.chart import draw
from tests.bench.rows import Row, markdown

BENCHMARKS = (
    "startup",
    "services",
    "coldstart",
    "bursts",
    "apiserver",
    "warm",
    "codec",
    "http2codec",
    "http2",
    "bodies",
    "idle",
    "websockets",
    "observing",
    "events",
    "eventloads",
    "tracing",
    "backlogs",
    "yardstick",
    "kills",
    "activators",
    "workers",
    "nothinglost",
    "simulation",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--out", type=Path, default=Path("bench-results.json"))
    options = parser.parse_args()
    wanted = [name for name in options.only.split(",") if name] or list(BENCHMARKS)
    unknown = set(wanted) - set(BENCHMARKS)
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
        return 2
    found: list[Row] = []
    for name in wanted:
        print(f"== {name}", file=sys.stderr, flush=True)
        began = time.monotonic()
        found += importlib.import_module(f"tests.bench.{name}").rows()
        print(f"   {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    options.out.write_text(json.dumps(found, indent=1))
    options.out.with_suffix(".svg").write_text(draw(found))
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}\n")
    print(markdown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
