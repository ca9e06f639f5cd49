"""What the page is looked at with: one Hearth with Services, events and traffic, and a browser."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.e2e.support import SAMPLES, Hearth, a_service, wait_until

PAUSE_SECONDS = 0.04
WIDE = (1280, 860)
PHONE = (360, 740)

BROKEN = a_service("broken", container={"command": ["sh", "-c", "echo no database; exit 3"]})
NOWHERE = "http://127.0.0.1:9/"
# Neither its subscriber nor its dead letter sink is there: its events are held.
HELD = {
    "apiVersion": "eventing.knative.dev/v1",
    "kind": "Trigger",
    "metadata": {"name": "nowhere", "namespace": "default"},
    "spec": {
        "broker": "default",
        "filter": {"attributes": {"type": "order.nowhere"}},
        "subscriber": {"uri": NOWHERE},
        "delivery": {"retry": 0, "deadLetterSink": {"uri": NOWHERE}},
    },
}

IDS = ("held-1", "held-2", "held-3")


@dataclass
class World:
    hearth: Hearth
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    """What pages wrote to the console that is a warning or an error."""

    @property
    def base(self) -> str:
        return f"http://hearth.localhost:{self.hearth.port}/"

    def entered(self, *options: str, size: tuple[int, int] = WIDE, dark: bool = False) -> Page:
        """A page with a session of its own, by the way that a user takes."""
        url = self.hearth.run("ui", "--no-browser", *options).stdout.split()[-1]
        page = self.context(size, dark=dark).new_page()
        page.goto(url)
        page.wait_for_selector("nav")
        page.on("console", self._complains)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def context(self, size: tuple[int, int], *, dark: bool) -> BrowserContext:
        width, height = size
        return self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )

    def _complains(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


def prepare(hearth: Hearth) -> None:
    """Two revisions of ``hello``, one Service that does not start, events that end otherwise."""
    hearth.kubectl("apply", "-f", str(SAMPLES / "hello.yaml"), "-f", str(SAMPLES / "events.yaml"))
    hearth.apply(BROKEN, HELD, a_service("sleepy"))
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "--timeout=90s")
    hearth.kubectl("apply", "-f", str(SAMPLES / "hello-v2.yaml"))
    hearth.kubectl("wait", "--for=condition=Ready", "trigger", "--all", "--timeout=90s")
    wait_until(lambda: split(hearth) == [90, 10], what="the second revision")
    events = ["order.created o-1", "order.lost lost-1", *(f"order.nowhere {each}" for each in IDS)]
    for kind, name in map(str.split, events):
        send(hearth, kind, name)


def send(hearth: Hearth, kind: str, name: str) -> None:
    """An event, as any producer sends one."""
    connection = http.client.HTTPConnection("127.0.0.1", hearth.state["ports"]["broker"])
    fields = {"specversion": "1.0", "id": name, "type": kind, "source": "/tests/page"}
    try:
        head = {f"ce-{field}": value for field, value in fields.items()}
        connection.request("POST", "/default/default", headers=head)
        assert connection.getresponse().status == 202
    finally:
        connection.close()


def split(hearth: Hearth) -> list[int]:
    """The percents of ``hello``, as its Route has them now."""
    traffic = (hearth.get_json("ksvc", "hello").get("status") or {}).get("traffic") or []
    return [each.get("percent", 0) for each in traffic]


@contextmanager
def flowing(hearth: Hearth, service: str) -> Iterator[None]:
    """Requests one after the other, for as long as this lasts."""
    ended = threading.Event()
    thread = threading.Thread(target=_flow, args=(hearth.port, service, ended.wait))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _flow(port: int, service: str, ended: Callable[[float], bool]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    host = {"Host": f"{service}.default.localhost"}
    try:
        while not ended(PAUSE_SECONDS):
            connection.request("GET", "/", headers=host)
            connection.getresponse().read()
    finally:
        connection.close()
