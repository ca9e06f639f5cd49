"""``hearth doctor``: all checks, as a table or as JSON."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

from hearth.cli.doctor.check import Check

_FAILED = 1


def run_doctor(data_dir: Path, kubeconfig: Path | None, output: str) -> int:
    """Print all findings; return 1 where something keeps Hearth from working, else 0."""
    found = asyncio.run(_of_cluster(kubeconfig)) if kubeconfig else _of_here(data_dir)
    failed = any(check.state == "fail" for check in found)
    if output == "json":
        report = {"healthy": not failed, "checks": [check.as_json() for check in found]}
        print(json.dumps(report, indent=2))
    else:
        _print(found)
    return _FAILED if failed else 0


async def _of_cluster(kubeconfig: Path) -> list[Check]:
    from hearth.cli.doctor import cluster

    return await cluster.checks(kubeconfig)


def _of_here(data_dir: Path) -> list[Check]:
    from hearth.cli.doctor import leftovers, machine, running

    return [
        *running.checks(data_dir),
        *machine.checks(data_dir, os.environ),
        *leftovers.checks(data_dir),
    ]


def _print(found: Sequence[Check]) -> None:
    """A line for each, and what to do in a second one."""
    width = max(len(check.name) for check in found)
    for check in found:
        print(f"{check.state:4}  {check.name:{width}}  {check.found}")
        if check.advice:
            print(f"{'':{width + 8}}{check.advice}")
    bad = [check for check in found if check.state != "ok"]
    print(f"\n{len(found) - len(bad)} of {len(found)} well." if bad else "\nAll is well.")
