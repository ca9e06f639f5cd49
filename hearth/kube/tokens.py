"""Tokens by which the processes of one installation know each other, and how they change. No I/O.

They are kept as the data of a Secret. A new one is accepted everywhere for a while before anybody
shows it, and the old one for a while after: processes hear of a change one after the other.
"""

from __future__ import annotations

import datetime
import hmac
import secrets
from collections.abc import Callable, Mapping

TOKEN = "token"
"""What is shown."""
NEXT = "next-token"
"""What will be shown, and is accepted already."""
LAST = "last-token"
"""What was shown, and is still accepted."""
SINCE = "since"
"""When the Secret became what it is; RFC 3339."""

Files = Mapping[str, bytes]

SHOWN = datetime.timedelta(days=30)
"""For how long a token is shown before there is a next one."""
OVERLAP = datetime.timedelta(hours=1)
"""For how long the next one is known before it is shown, and the last one accepted afterwards."""


def _by_chance() -> str:
    return secrets.token_urlsafe(32)


def renewed(
    files: Files, now: datetime.datetime, make: Callable[[], str] = _by_chance
) -> dict[str, bytes] | None:
    """Return the data as it should be; None where it is good as it is.

    One step at a time: the next token is made, it is shown, the last one is given up. A token that
    came without a time, or with one that cannot be, counts from now on.
    """
    files = {name: content for name, content in files.items() if content}
    token, stamp = files.get(TOKEN), now.isoformat(timespec="seconds").encode()
    if token is None or not _is_text(token):
        return {TOKEN: make().encode(), SINCE: stamp}
    since = _moment(files.get(SINCE, b""))
    if since is None or since > now + OVERLAP:
        return {**files, SINCE: stamp}
    if now - since < OVERLAP:
        return None
    if NEXT in files:
        return {TOKEN: files[NEXT], LAST: token, SINCE: stamp}
    if LAST in files:
        return {TOKEN: token, SINCE: files[SINCE]}
    if now - since < SHOWN:
        return None
    return {TOKEN: token, NEXT: make().encode(), SINCE: stamp}


class Tokens:
    """What is shown to others and accepted from them; both change while it is in use."""

    def __init__(self, token: str | None = None) -> None:
        """Without a token nobody is let in until one is known."""
        self.shown = token or ""
        self._accepted = [] if token is None else [token.encode()]

    def take(self, files: Files) -> None:
        """Take over what the Secret says; where it says nothing yet, the last word counts."""
        token = files.get(TOKEN)
        if token and _is_text(token):
            self.shown = token.decode()
            self._accepted = [each for name in (TOKEN, NEXT, LAST) if (each := files.get(name))]

    def accepts(self, token: bytes) -> bool:
        """Whether who shows this may be let in. Takes as long for any token."""
        return any([hmac.compare_digest(token, each) for each in self._accepted])


def _is_text(token: bytes) -> bool:
    try:
        return bool(token.decode())
    except UnicodeDecodeError:
        return False


def _moment(text: bytes) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text.decode())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
