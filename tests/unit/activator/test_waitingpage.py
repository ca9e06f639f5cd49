from __future__ import annotations

import base64
import hashlib
import re

import orjson
import pytest

from activator import waitingpage
from activator.http.events import RequestHead
from activator.http.fields import find_field

BROWSER = (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8")
NAVIGATES = (b"sec-fetch-mode", b"navigate")


def a_head(*fields: tuple[bytes, bytes], method: bytes = b"GET") -> RequestHead:
    head = RequestHead.of(method, b"/", b"h")
    head.fields = list(fields)
    return head


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (a_head(BROWSER, NAVIGATES), True),
        (a_head(BROWSER), True),
        (a_head(), False),
        (a_head((b"accept", b"*/*")), False),
        (a_head((b"accept", b"application/json")), False),
        (a_head(BROWSER, (b"sec-fetch-mode", b"cors")), False),
        (a_head(BROWSER, NAVIGATES, method=b"POST"), False),
        (a_head((b"x-hearth-waiting", b"1")), True),
    ],
)
def test_the_page_is_for_a_person_who_waits(head: RequestHead, expected: bool) -> None:
    assert waitingpage.is_navigation(head) is expected


@pytest.mark.parametrize(
    ("pods", "ready", "phase"), [(0, 0, "waking"), (2, 0, "starting"), (2, 1, "ready")]
)
def test_how_far_it_is(pods: int, ready: int, phase: str) -> None:
    assert orjson.loads(waitingpage.progress(pods=pods, ready=ready).body) == {"phase": phase}


def test_the_page_runs_its_own_script_and_loads_nothing() -> None:
    head = waitingpage.page()
    text = head.body.decode()
    policy = (find_field(head.fields, b"content-security-policy") or b"").decode()
    for tag in ("script", "style"):
        [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"https?://|src=|@import|url\(", text)
    assert (head.status, find_field(head.fields, b"cache-control")) == (503, b"no-store")


def test_the_page_is_for_all() -> None:
    text = waitingpage.page().body.decode()
    assert '<html lang="en">' in text
    assert 'role="status"' in text
    assert "prefers-color-scheme: dark" in text
    assert "prefers-reduced-motion" in text
    assert '<noscript><meta http-equiv="refresh"' in text
