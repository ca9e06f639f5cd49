"""The coffee shop's programs as they run, without a Broker between them: the board takes events."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

SHOP = Path(__file__).resolve().parents[3] / "samples" / "coffeeshop"
ORDER: dict[str, Any] = {"id": "a", "drink": "latte", "name": "Ada", "ordered": 1.0, "via": "queue"}
ORDERED = {"ce-type": "coffee.ordered", "ce-id": "a.queue"}


class Program:
    """One running program of the sample."""

    def __init__(self, name: str, **env: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        argv = [sys.executable, "-S", "-E", str(SHOP / f"{name}.py")]
        full = {"PATH": os.environ["PATH"], "PORT": str(self.port), "SECONDS": "0.01", **env}
        self.process = subprocess.Popen(argv, env=full, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self._is_listening():
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @contextlib.contextmanager
    def asked(
        self, path: str, data: Any = None, headers: dict[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to a POST of JSON; to a GET, without data."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = None if data is None else json.dumps(data)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers or {})
            with connection.getresponse() as answer:
                yield answer
        finally:
            connection.close()

    def json(self, path: str, data: Any = None) -> tuple[int, Any]:
        with self.asked(path, data) as answer:
            return answer.status, json.loads(answer.read())

    def event(self, kind: str, data: Any) -> int:
        """Sends an event; the status of the answer."""
        with self.asked("/", data, {"ce-type": kind}) as answer:
            return answer.status

    def end(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    running: list[Program] = []

    def begin(name: str, **env: str) -> Program:
        running.append(Program(name, **env))
        return running[-1]

    yield begin
    for program in running:
        program.end()


@pytest.fixture
def board(start: Callable[..., Program], tmp_path: Path) -> Program:
    return start("board", DATA=str(tmp_path))


def told(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Server-sent events: names and data."""
    name = ""
    for line in answer:
        field, _, value = line.decode().strip().partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_the_page_is_told_of_an_order_that_becomes_made(
    start: Callable[..., Program], board: Program
) -> None:
    with board.asked("/") as answer:
        page = answer.read().decode()
    assert "EventSource" in page and "http://" not in page and "https://" not in page
    counter, barista = start("counter", K_SINK=board.url), start("barista", HOSTNAME="Bo")
    with board.asked("/events") as stream:
        events = told(stream)
        assert next(events) == ("state", {"counts": board.json("/queue")[1], "orders": []})
        status, order = counter.json("/orders", {"drink": "latte", "name": "Ada", "id": "a"})
        assert (status, order["id"]) == (202, "a")
        name, change = next(events)
        assert name == "order" and change["order"]["via"] == "queue"
        assert "made" not in change["order"]
        assert (change["counts"]["waiting"], change["counts"]["queue"]) == (1, 1)
        with barista.asked("/", change["order"], ORDERED) as reply:
            assert reply.headers["ce-type"] == "coffee.made"
            said = {key: value for key, value in reply.headers.items() if key.startswith("ce-")}
            coffee = json.loads(reply.read())
        assert board.event(said["ce-type"], coffee) == 202
        name, change = next(events)
        assert change["order"]["barista"] == "Bo" and change["order"]["drink"] == "latte"
        assert (change["counts"]["waiting"], change["counts"]["made"]) == (0, 1)


def test_a_barista_asked_again_gives_the_same_coffee(start: Callable[..., Program]) -> None:
    barista = start("barista")
    first, second = barista.json("/", ORDER), barista.json("/", ORDER)
    assert first == second
    assert barista.json("/", {**ORDER, "id": "b"})[1]["making"] != first[1]["making"]
    with barista.asked("/", ["latte"]) as answer:
        assert answer.status == 400


def test_an_order_by_http_is_answered_with_its_coffee(
    start: Callable[..., Program], board: Program, tmp_path_factory: pytest.TempPathFactory
) -> None:
    barista = start("barista")
    counter = start("counter", K_SINK=board.url, BARISTA=barista.url)
    page = start("board", COUNTER=counter.url, DATA=str(tmp_path_factory.mktemp("page")))
    status, coffee = page.json("/coffees", {"drink": "cocoa"})  # by the form of a page
    assert (status, coffee["drink"]) == (200, "cocoa")
    assert board.json("/queue")[1] == {
        **{"ordered": 1, "made": 1, "waiting": 0, "queue": 0},
        **{"twice": 0, "again": 0},
    }
    barista.end()
    status, order = counter.json("/coffees", {"drink": "cocoa"})
    assert status == 202 and "queue" in order["status"]
    assert board.json("/queue")[1]["queue"] == 1


@pytest.mark.parametrize(
    ("wrong", "text"), [({"drink": "tea"}, "choose one of"), ("", "an order is a JSON object")]
)
def test_a_wrong_order_is_told_what_to_change(
    start: Callable[..., Program], wrong: Any, text: str
) -> None:
    counter = start("counter", K_SINK="http://127.0.0.1:9")
    status, said = counter.json("/orders", wrong)
    assert status == 400 and text in said["error"]
    assert start("counter").json("/orders", ORDER)[0] == 503  # no Broker is bound to it


def test_the_board_forgets_nothing_when_it_is_killed(
    start: Callable[..., Program], board: Program, tmp_path: Path
) -> None:
    for kind, data in (("coffee.ordered", ORDER), ("coffee.ordered", ORDER), ("foreign", ORDER)):
        assert board.event(kind, data) == 202
    before = board.json("/state")
    board.end()
    with (tmp_path / "events.jsonl").open("a") as journal:
        journal.write('{"type": "coffee.made", "data": {"id": "a"')  # cut off by the kill
    after = start("board", DATA=str(tmp_path))
    assert after.json("/state") == before
    assert before[1]["counts"]["again"] == 1
    assert after.event("coffee.made", {**ORDER, "making": "m", "made": 2.0}) == 202
    assert after.json("/state")[1]["counts"]["made"] == 1
    assert after.end(signal.SIGTERM) == 0
    assert start("board", DATA=str(tmp_path)).json("/state")[1]["counts"]["made"] == 1


def test_what_is_neither_event_nor_order_is_refused(board: Program) -> None:
    assert board.json("/", {"drink": "latte"})[0] == 400
    assert board.json("/nothing")[0] == 404
    assert board.event("coffee.made", 1) == 400


def luminance(colour: str) -> float:
    """Of WCAG 2.2; a colour is ``#rgb`` or ``#rrggbb``."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = (int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_page_can_be_read_in_light_and_dark() -> None:
    modes = re.findall(r":root \{(.*?)\}", (SHOP / "page.html").read_text(), re.DOTALL)
    assert len(modes) == 2
    for mode in modes:
        colours = dict(re.findall(r"--(\w+): (#\w+);", mode))
        for text in ("text", "soft", "accent", "done", "twice"):
            for ground in ("back", "card"):
                low, high = sorted(luminance(colours[name]) for name in (text, ground))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)
