"""Who looks: one-time codes and cookies, signed, so that nothing is kept of them. Pure.

``hearth ui`` makes a code with the secret of this Hearth; the page trades it for a cookie. A text
is ``KIND.ROLE.EXPIRY.NONCE.SIGNATURE``. The process keeps which codes were used for as long as they
are good, and does not rest before that (``main.REST_SECONDS``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from enum import StrEnum

CODE_SECONDS, SESSION_SECONDS = 120, 12 * 3600
_CODE, _SESSION = "code", "session"


class Role(StrEnum):
    """What somebody may do."""

    READER = "reader"
    WRITER = "writer"


class Sessions:
    """Makes and reads codes and cookies of one secret. Times are seconds since 1970."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()
        self.cookie = f"hearth_{hashlib.sha256(b'cookie' + self._key).hexdigest()[:8]}"
        """The cookie's name: cookies know no ports, and there may be several Hearths."""
        self._used: dict[str, float] = {}

    def code(self, role: Role, *, nonce: str, now: float) -> str:
        """Return a code that is good once, and for two minutes."""
        return self._signed(_CODE, role, now + CODE_SECONDS, nonce)

    def session(self, code: str, *, nonce: str, now: float) -> tuple[Role, str] | None:
        """Return role and cookie for a code; None for one that is not, or no longer, good."""
        role = self._read(_CODE, code, now)
        self._used = {each: expiry for each, expiry in self._used.items() if expiry > now}
        if role is None or code in self._used:
            return None
        self._used[code] = now + CODE_SECONDS
        return role, self._signed(_SESSION, role, now + SESSION_SECONDS, nonce)

    def role(self, cookie: str, *, now: float) -> Role | None:
        """Return what the bearer of a cookie may do; None: nothing."""
        return self._read(_SESSION, cookie, now)

    def _signed(self, kind: str, role: Role, expiry: float, nonce: str) -> str:
        text = f"{kind}.{role}.{int(expiry)}.{nonce}"
        return f"{text}.{self._signature(text)}"

    def _signature(self, text: str) -> str:
        digest = hmac.digest(self._key, text.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _read(self, kind: str, signed: str, now: float) -> Role | None:
        text, _, signature = signed.rpartition(".")
        if not hmac.compare_digest(self._signature(text).encode(), signature.encode()):
            return None
        given, role, expiry, _ = text.split(".")
        return Role(role) if given == kind and int(expiry) > now else None
