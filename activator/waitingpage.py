"""The page that a browser shows while a Service wakes up, and what it asks meanwhile. Pure.

It is one text for all Services: no name, no content of anybody else. Its script asks for the same
address with a header of its own, which the gateway answers, and loads it anew when something is
ready; without scripts it loads itself again every two seconds.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

import orjson

from activator.http.events import RequestHead, ResponseHead
from activator.http.fields import find_field

ASKS: Final = b"x-hearth-waiting"
"""The header of the page's own questions."""
_PAGE: Final = (Path(__file__).parent / "waitingpage.html").read_text(encoding="utf-8")
_NO_STORE: Final = (b"cache-control", b"no-store")


def is_navigation(head: RequestHead) -> bool:
    """Whether a browser is about to show what comes, or the page it shows already asks."""
    if head.method != b"GET" or head.upgrade:
        return False
    if asks(head):
        return True
    mode = find_field(head.fields, b"sec-fetch-mode")
    if mode is not None and mode != b"navigate":
        return False
    return b"text/html" in (find_field(head.fields, b"accept") or b"")


def asks(head: RequestHead) -> bool:
    """Whether it is the page that asks how far things are."""
    return find_field(head.fields, ASKS) is not None


def progress(*, pods: int, ready: int) -> ResponseHead:
    """The answer to the page: whether to load the address anew, and what to say until then."""
    phase = "ready" if ready else "starting" if pods else "waking"
    kind = (b"content-type", b"application/json")
    return ResponseHead.of(200, (kind, _NO_STORE), orjson.dumps({"phase": phase}))


def page() -> ResponseHead:
    """The page: 503, so that nobody takes it for content, and a hint when to come again."""
    return ResponseHead.of(503, _FIELDS, _BODY)


def _hash(tag: str) -> str:
    """Of the one script, or the one style, as a content security policy names it."""
    content = _PAGE.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


_BODY: Final = _PAGE.encode()
_POLICY: Final = (
    f"default-src 'none'; script-src 'sha256-{_hash('script')}'; "
    f"style-src 'sha256-{_hash('style')}'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
_FIELDS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    _NO_STORE,
    (b"retry-after", b"2"),
    (b"x-robots-tag", b"noindex"),
    (b"x-hearth-error", b"waking-up"),
    (b"content-security-policy", _POLICY.encode()),
)
