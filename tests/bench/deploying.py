"""From a folder to a URL: what ``hearth deploy`` takes with packages cached, and wakes from zero.

``service``: the command to the first 200 that its service gives, and to the first answer of a
second revision. ``warm``: functions at zero, by a warm interpreter and as ordinary processes, in
turns. ``image``: the command to the line that says an image is pushed, to Debian's docker-registry.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.hearth import RunningHearth
from tests.bench.rows import Row, percentile, row
from tests.images import registry, static_image

RUNS = 7
WAKES = 6
_FLASK = (
    "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef hi():\n    return '{}'\n"
)
_FASTAPI = """
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()

class Item(BaseModel):
    name: str
    price: float = 0

@app.get("/")
async def read() -> Item:
    return Item(name="one")
"""


def _command(hearth: RunningHearth, folder: Path, *options: str) -> list[str]:
    words = [sys.executable, "-m", "hearth.cli", "deploy", str(folder), *options]
    return [*words, "--data-dir", str(hearth.data_dir)]


def _asked(hearth: RunningHearth, name: str, timing: dict[str, list[float]] | None = None) -> bytes:
    """What a service answers; empty where it does not answer 200. Adds what Server-Timing says."""
    host = {"Host": f"{name}.default.localhost"}
    request = urllib.request.Request(f"http://127.0.0.1:{hearth.port}/", headers=host)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            for phase in (answer.headers["Server-Timing"] or "").split(", "):
                what, _, took = phase.partition(";dur=")
                if timing is not None:
                    timing.setdefault(what, []).append(float(took))
            return bytes(answer.read())
    except urllib.error.URLError:
        return b""


def _deployed(hearth: RunningHearth, folder: Path, name: str, word: str) -> float:
    """Seconds from the command to the first answer that is this word."""
    (folder / "app.py").write_text(_FLASK.format(word))
    began = time.perf_counter()
    process = subprocess.Popen(
        _command(hearth, folder, "--service", name), stdout=subprocess.DEVNULL
    )
    try:
        while _asked(hearth, name) != word.encode():
            if process.poll():
                raise RuntimeError("hearth deploy failed")
            time.sleep(0.005)
        return time.perf_counter() - began
    finally:
        process.wait()


def service() -> Iterator[Row]:
    with RunningHearth() as hearth, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "requirements.txt").write_text("flask\n")
        _deployed(hearth, folder, "first", "first")
        hearth.command("delete", "first")
        fresh, again = [], []
        for number in range(RUNS):
            name = f"flask-{number}"
            fresh.append(_deployed(hearth, folder, name, f"{name}-one"))
            again.append(_deployed(hearth, folder, name, f"{name}-two"))
            hearth.command("delete", name)
    what = "hearth deploy of a one-file Flask app, packages cached: command to first 200"
    yield row(what, fresh, "s", at_most=1.5)
    yield row("hearth deploy of its second revision", again, "s", at_most=0.8)


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError("it did not come true")
        time.sleep(0.2)


def _pids(part: str, program: str) -> set[int]:
    """Processes below a folder that run a program."""
    found = set()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes()
        except OSError:
            continue
        if part.encode() in words and program.encode() in words:
            found.add(int(each.parent.name))
    return found


def _wake(hearth: RunningHearth, name: str, timing: dict[str, list[float]]) -> float:
    began = time.perf_counter()
    if not _asked(hearth, name, timing):
        raise RuntimeError(f"{name} does not answer")
    return (time.perf_counter() - began) * 1000


def warm() -> Iterator[Row]:
    took: dict[str, list[float]] = {"warm": [], "ordinary": []}
    phases: dict[str, list[float]] = {}
    with RunningHearth() as hearth, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "main.py").write_text(_FASTAPI)
        (folder / "requirements.txt").write_text("fastapi\nuvicorn[standard]\n")
        window = '[annotations]\n"autoscaling.knative.dev/window" = "6s"\n'
        (folder / "hearth.toml").write_text(window)
        for name, option in (("warm", "--warm"), ("ordinary", "--no-warm")):
            command = _command(hearth, folder, "--service", name, option)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        builds = str(hearth.data_dir / "builds")
        for _ in range(WAKES):
            _until(lambda: not _pids(builds, "main:app"))
            _until(lambda: bool(_pids(builds, "zygote.py")))
            time.sleep(2)  # it imports
            for name, times in took.items():
                times.append(_wake(hearth, name, phases if name == "warm" else {}))
                time.sleep(0.5)
        memory = sum(map(_proportional, _pids(builds, "zygote.py")))
    peers = {"ordinary process": statistics.median(took["ordinary"])}
    peers |= {f"of it {phase}": statistics.median(times) for phase, times in phases.items()}
    what = "FastAPI function at zero, warm interpreter: request to answer"
    yield row(what, took["warm"], "ms", at_most=40, peers=peers)
    yield row(f"{what}, p95", [percentile(took["warm"], 0.95)], "ms")
    yield row(
        "a warm interpreter's memory while its function sleeps, the process that waits included",
        [memory],
        "MB",
    )


def _proportional(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(each.split()[1]) for each in lines if each.startswith("Pss:")) / 1000


def _pushed(hearth: RunningHearth, folder: Path, *options: str) -> float:
    """Seconds from the command to the word that an image is pushed; the rest is not waited for."""
    began = time.perf_counter()
    command = _command(hearth, folder, *options)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("pushed "):
                return time.perf_counter() - began
        raise RuntimeError("nothing was pushed")
    finally:
        process.kill()
        process.wait()
        threading.Thread(target=process.stdout.close).start()


def image() -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory() as place,
        registry(Path(place)) as store,
        RunningHearth() as hearth,
    ):
        based_on = store.push(static_image(Path(place)), "base:1")
        folder = Path(place) / "app"
        folder.mkdir()
        (folder / "requirements.txt").write_text("flask\nnumpy\nscipy\n")
        same, fresh = [], []
        for number in range(RUNS + 1):
            (folder / "app.py").write_text(_FLASK.format(number))
            same.append(
                _pushed(hearth, folder, f"--registry={store.host}/same", f"--base={based_on}")
            )
            (folder / "app.py").write_text(_FLASK.format(f"again {number}"))
            to = f"--registry={store.host}/fresh-{number}"
            fresh.append(_pushed(hearth, folder, to, f"--base={based_on}"))
        layers = sorted(
            each.stat().st_size for each in hearth.data_dir.glob("builds/images/blobs/*")
        )
    what = "image of a folder built and pushed to a local registry, packages cached"
    peers = {"packages' layer, MB": layers[-1] / 1e6}
    yield row(what, same[1:], "s", at_most=2, peers=peers)
    yield row(f"{what}, to a repository that has nothing", fresh[1:], "s", at_most=2)


PARTS = {"service": service, "warm": warm, "image": image}


def rows() -> Iterator[Row]:
    for part in PARTS.values():
        yield from part()
