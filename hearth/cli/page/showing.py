"""The address of the page, with a code that lets one in once."""

from __future__ import annotations

import secrets
import time

from hearth.ui.guard import HOST
from hearth.ui.sessions import CODE_SECONDS, Role, Sessions


def address(sessions: Sessions, role: Role, port: int) -> str:
    """Return an address with a code behind ``#``, which browsers keep to themselves."""
    code = sessions.code(role, nonce=secrets.token_hex(8), now=time.time())
    return f"http://{HOST}:{port}/#{code}"


def show(url: str, *, browser: bool) -> None:
    """Print the address and, where there is a browser, have it opened."""
    if browser and _opened(url):
        print("The page opens in your browser. Should it not, this address does it,")
    else:
        print("Open this address in a browser of this machine;")
    print(f"it is good once, for {CODE_SECONDS // 60} minutes:", flush=True)
    print(url, flush=True)


def _opened(url: str) -> bool:
    import webbrowser

    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False
