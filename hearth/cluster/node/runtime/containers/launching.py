"""Why programs did not start, whichever program was to start them says it. Pure."""

from __future__ import annotations

import re

_REASON = re.compile(
    r'(exec: ".*?: (?:no such file or directory|permission denied|.*?))(?=: OCI|$)'
)
_CRUN = re.compile(r"executable file `(.*?)` not found")


def launch_text(message: str) -> str:
    """Why a program did not start, without the names of the programs that tried. Pure."""
    first = message.strip().splitlines()[0] if message.strip() else message
    crun = _CRUN.search(first)
    if crun is not None:
        place = "no such file or directory" if "/" in crun[1] else "not found in $PATH"
        return f'exec: "{crun[1]}": {place}'
    found = _REASON.search(first)
    return found[1] if found is not None else first
