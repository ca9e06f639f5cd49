"""Posting JSON and CloudEvents (binary mode) until they are taken. Imported after listening."""

import http.client
import json
import time
import urllib.error
import urllib.request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOURCE = "/samples/coffeeshop"
JSON = "application/json"
TRIES = 40
PAUSE_SECONDS = 0.25


class NotTaken(Exception):
    """Nobody took it, however often it was tried."""


def headers_of(kind: str, order: str, act: str, **more: str) -> "dict[str, str]":
    """Returns an event's headers. Its id is made of order and act, so a second try has the same."""
    named = {"specversion": "1.0", "id": f"{order}.{act}", "type": kind}
    named |= {"source": SOURCE, "subject": order, **more}
    return {f"ce-{name}": value for name, value in named.items()}


def post(url: str, data: "Any", headers: "dict[str, str]", tries: int = TRIES) -> "tuple[int, Any]":
    """Posts JSON until there is an answer, be it that something is wrong with it; returns that.

    What is away for a moment (no connection, 5xx, 429) is tried again for ten seconds. A second
    try may be a second delivery: ids make that harmless. Raises NotTaken after the last one.
    """
    said = ""
    for _ in range(tries):
        body = json.dumps(data).encode()
        request = urllib.request.Request(url, body, {**headers, "content-type": JSON})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode(errors="replace").strip()
            if error.code < 500 and error.code != 429:
                return error.code, json.loads(said) if said.startswith("{") else {"error": said}
            said = f"{error.code} {said}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = str(error)
        time.sleep(PAUSE_SECONDS)
    raise NotTaken(f"{url} took nothing in {tries} tries: {said}")
