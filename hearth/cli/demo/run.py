"""Runs the steps one by one, says what happens, and sums up in a table."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from hearth.cli.demo.coffeeshop import coffeeshop
from hearth.cli.demo.stage import Failed, Stage
from hearth.cli.demo.steps import STEPS, Step
from hearth.cli.errors import UserError
from hearth.cli.nats import wants_nats
from hearth.kube.errors import ApiError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one step, and how many seconds it took."""

    title: str
    held: bool
    seconds: float
    text: str


TOURS: Mapping[str, Callable[[str], Sequence[Step]]] = {
    "tour": lambda _events: STEPS,
    "coffeeshop": coffeeshop,
}


def run_demo(tour: str, *, events: str, keep: bool) -> int:
    """Plays a tour in a temporary folder; exit code 0 only when every step held."""
    if tour not in TOURS:
        raise UserError(f"there is no demo {tour!r}; there are: {', '.join(TOURS)}")
    wants_nats(events)
    steps = TOURS[tour](events)
    logging.basicConfig(level="ERROR")
    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="hearth-demo-"))
    began = time.monotonic()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcomes = runner.run(play(console, Stage(folder, events), steps))
    finally:
        if keep:
            console.print(f"State kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    console.print(summary(outcomes, time.monotonic() - began))
    return 0 if len(outcomes) == len(steps) and all(each.held for each in outcomes) else 1


async def play(
    console: Console,
    stage: Stage,
    steps: Sequence[Step],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> list[Outcome]:
    """Plays steps until one does not hold. The first step's time includes the start of Hearth."""
    outcomes: list[Outcome] = []
    console.print(f"Starting Hearth in {stage.data_dir} ...")
    began = clock()
    try:
        async with stage:
            for step in steps:
                held, text = await _held(console, step, stage)
                outcomes.append(Outcome(step.title, held, clock() - began, text))
                _show(console, outcomes[-1])
                if not held:
                    _show_log(console, stage.data_dir)
                    break
                began = clock()
    except Failed as error:
        outcomes.append(Outcome(steps[0].title, False, clock() - began, str(error)))
    return outcomes


async def _held(console: Console, step: Step, stage: Stage) -> tuple[bool, str]:
    with console.status(f"{step.title} ..."):
        try:
            return True, await step.act(stage)
        except (Failed, ApiError) as error:
            return False, str(error)


def _show(console: Console, outcome: Outcome) -> None:
    mark = "[green]ok[/]  " if outcome.held else "[red]FAILED[/]"
    console.print(f"{mark} [bold]{outcome.title}[/]: {outcome.text}")


def _show_log(console: Console, folder: Path) -> None:
    log = folder / "hearth.log"
    if log.exists():
        console.print("The end of Hearth's log:")
        for line in log.read_text(errors="replace").splitlines()[-30:]:
            console.print(f"  {line}", markup=False)


def summary(outcomes: Sequence[Outcome], seconds: float) -> Table:
    """Makes the table at the end of the tour."""
    table = Table(title=f"Hearth demo, {seconds:.0f} s", title_justify="left")
    table.add_column("step", no_wrap=True)
    table.add_column("held")
    table.add_column("took", justify="right")
    table.add_column("what happened")
    for each in outcomes:
        mark = "[green]yes[/]" if each.held else "[red]no[/]"
        table.add_row(each.title, mark, f"{each.seconds:.1f} s", each.text)
    return table
