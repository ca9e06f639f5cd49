"""Runs the steps one by one, says what happens, and sums up in a table."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import time
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from hearth.cli.demo.stage import Failed, Stage
from hearth.cli.demo.steps import STEPS, Step
from hearth.kube.errors import ApiError

_Row = tuple[str, bool, float, str]


def run_demo(*, keep: bool) -> int:
    """Exit code 0 only when every step held."""
    logging.basicConfig(level="ERROR")
    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="hearth-demo-"))
    began = time.monotonic()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            rows = runner.run(_run(console, folder))
    finally:
        if keep:
            console.print(f"State kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    _summary(console, rows, time.monotonic() - began)
    return 0 if len(rows) == len(STEPS) and all(held for _, held, _, _ in rows) else 1


async def _run(console: Console, folder: Path) -> list[_Row]:
    rows: list[_Row] = []
    console.print(f"Starting Hearth in {folder} ...")
    try:
        async with Stage(folder) as stage:
            for step in STEPS:
                row = await _play(console, step, stage)
                rows.append(row)
                if not row[1]:
                    _show_log(console, folder)
                    break
    except Failed as error:
        rows.append((STEPS[0].title, False, 0.0, str(error)))
    return rows


async def _play(console: Console, step: Step, stage: Stage) -> _Row:
    began = time.monotonic()
    with console.status(f"{step.title} ..."):
        try:
            held, text = True, await step.act(stage)
        except (Failed, ApiError) as error:
            held, text = False, str(error)
    seconds = time.monotonic() - began
    mark = "[green]ok[/]  " if held else "[red]FAILED[/]"
    console.print(f"{mark} [bold]{step.title}[/]: {text}")
    return step.title, held, seconds, text


def _show_log(console: Console, folder: Path) -> None:
    log = folder / "hearth.log"
    if log.exists():
        console.print("The end of Hearth's log:")
        for line in log.read_text(errors="replace").splitlines()[-30:]:
            console.print(f"  {line}", markup=False)


def _summary(console: Console, rows: list[_Row], seconds: float) -> None:
    table = Table(title=f"Hearth demo, {seconds:.0f} s", title_justify="left")
    table.add_column("step", no_wrap=True)
    table.add_column("held")
    table.add_column("took", justify="right")
    table.add_column("what happened")
    for title, held, took, text in rows:
        mark = "[green]yes[/]" if held else "[red]no[/]"
        table.add_row(title, mark, f"{took:.1f} s", text)
    console.print(table)
