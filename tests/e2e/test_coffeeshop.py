"""``hearth demo coffeeshop``: 100 orders, processes killed on the way, every coffee arrives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.keda import servers

COUNTS = {"local": 102, "nats": 152}


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Both at once: most of the time they wait."""
    hearth = str(Path(sys.executable).with_name("hearth"))
    running = {}
    for events in ("local", "nats"):
        folder = tmp_path_factory.mktemp(events)
        running[events] = subprocess.Popen(
            [hearth, "demo", "coffeeshop", "--events", events],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "300"},
        )
    yield running
    for process in running.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("events", ["local", "nats"])
def test_every_coffee_arrives(events: str, demos: dict[str, subprocess.Popen[str]]) -> None:
    if events == "nats":
        servers.program("nats-server")
    said, _ = demos[events].communicate(timeout=250)
    assert demos[events].returncode == 0, said
    count = COUNTS[events]
    assert re.search(rf"{count} ordered, {count} made, 0 lost; \d+ made twice, \d+ delivered", said)
    killed = ["a barista", "the broker", *(["NATS"] if events == "nats" else []), "the board"]
    told = "100 made in .* s; killed: " + ", ".join(f"{each} at .*" for each in killed)
    assert re.search(f"{told}; baristas over time, by the queue and requests: ", said), said


def test_a_demo_that_there_is_not_names_those_that_there_are() -> None:
    hearth = str(Path(sys.executable).with_name("hearth"))
    done = subprocess.run([hearth, "demo", "tea"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: there is no demo 'tea'; there are: tour, coffeeshop\n"
