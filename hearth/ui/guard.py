"""Which requests are let in: names, origins, sessions, roles. Pure.

=====================  =============================================================================
against                is asked for
=====================  =============================================================================
DNS rebinding          a Host that is a name of this machine (``NAMES``)
other sites' requests  ``Origin``, where there is one, is our own; ``Sec-Fetch-Site`` is same-origin
forged writes          besides, ``X-Hearth-Page`` and JSON: no form of another site can send them
strangers              a session, for all but the login
readers' writes        the role of a writer
=====================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hearth.ui.sessions import Role

HOST = "hearth.localhost"
NAMES = frozenset({HOST, "localhost", "127.0.0.1", "[::1]"})
OPEN_PATHS = frozenset({"/login", "/login.js", "/login.css"})
PAGE_FIELD = "x-hearth-page"
FIELDS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer says to the browser."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    message: str


NO_SESSION = Refusal(401, "this page needs a session: `hearth ui` opens it with one")


def refusal(method: str, path: str, fields: Mapping[str, str], role: Role | None) -> Refusal | None:
    """Return why a request is refused; None lets it in. ``fields`` by lower-case name."""
    host = fields.get("host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name.lower() not in NAMES:
        return Refusal(421, f"this page has the name {HOST}; {host or 'none'} is none of its names")
    if not _is_ours(fields, host, is_page=path == "/"):
        return Refusal(403, "a request from another page is not answered")
    if path not in OPEN_PATHS and role is None:
        return NO_SESSION
    if method in ("GET", "HEAD"):
        return None
    return _write_refusal(path, fields, role)


def _is_ours(fields: Mapping[str, str], host: str, *, is_page: bool) -> bool:
    """Whether a request is from the page itself; to the page one may be led from anywhere."""
    if is_page:
        return True
    origin = fields.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return False
    return fields.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def _write_refusal(path: str, fields: Mapping[str, str], role: Role | None) -> Refusal | None:
    kind = fields.get("content-type", "").partition(";")[0].strip().lower()
    if PAGE_FIELD not in fields or kind != "application/json":
        return Refusal(403, f"a write is JSON and has the field {PAGE_FIELD}")
    if path.startswith("/api/") and path != "/api/logout" and role is not Role.WRITER:
        return Refusal(403, "this session may look and change nothing: `hearth ui` opens another")
    return None
