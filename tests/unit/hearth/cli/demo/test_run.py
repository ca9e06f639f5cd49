"""The tour: what is shown of each step, and that the first one's time includes the start."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from hearth.cli.demo.run import Outcome, play, summary
from hearth.cli.demo.stage import Failed, Stage
from hearth.cli.demo.steps import Step


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class PlayedStage:
    """A stage that takes three seconds to start, or fails to."""

    data_dir = Path("/nowhere")

    def __init__(self, clock: Clock, *, fails: bool = False) -> None:
        self.clock, self.fails, self.is_closed = clock, fails, False

    async def __aenter__(self) -> PlayedStage:
        self.clock.now += 3
        if self.fails:
            raise Failed("no port is free")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_closed = True


def a_step(title: str, clock: Clock, *, seconds: float, fails: bool = False) -> Step:
    async def act(_stage: Any) -> str:
        clock.now += seconds
        if fails:
            raise Failed("did not hold")
        return f"saw {title}"

    return Step(title, act)


async def played(stage: PlayedStage, *steps: Step) -> tuple[list[Outcome], str]:
    out = io.StringIO()
    console = Console(file=out, width=100)
    outcomes = await play(console, cast(Stage, stage), steps, clock=stage.clock)
    console.print(summary(outcomes, 9.4))
    return outcomes, out.getvalue()


async def test_the_first_step_takes_as_long_as_the_start() -> None:
    clock = Clock()
    steps = a_step("Starts", clock, seconds=0), a_step("Answers", clock, seconds=0.5)
    outcomes, shown = await played(PlayedStage(clock), *steps)
    assert outcomes == [
        Outcome("Starts", True, 3.0, "saw Starts"),
        Outcome("Answers", True, 0.5, "saw Answers"),
    ]
    assert "Hearth demo, 9 s" in shown
    assert "3.0 s" in shown and "0.5 s" in shown


async def test_nothing_follows_a_step_that_did_not_hold() -> None:
    clock, stage = Clock(), None
    stage = PlayedStage(clock)
    steps = a_step("One", clock, seconds=1, fails=True), a_step("Two", clock, seconds=1)
    outcomes, shown = await played(stage, *steps)
    assert [(each.title, each.held, each.text) for each in outcomes] == [
        ("One", False, "did not hold")
    ]
    assert "FAILED" in shown
    assert stage.is_closed


async def test_a_start_that_fails_is_the_first_step() -> None:
    clock = Clock()
    outcomes, _ = await played(PlayedStage(clock, fails=True), a_step("Starts", clock, seconds=0))
    assert outcomes == [Outcome("Starts", False, 3.0, "no port is free")]
