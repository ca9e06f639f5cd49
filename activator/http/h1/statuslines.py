"""The first line of a response (RFC 9112, section 4), which llhttp is lenient about. Pure."""

from __future__ import annotations

import re
from http import HTTPStatus

from activator.http.h1.watching import BadResponse

_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?")
_NO_BODY = frozenset((204, 304))
_KEPT, _KEPT_OCTETS = 1000, 64

USUAL = {
    b"HTTP/1.1 %d %b" % (status, status.phrase.encode()): int(status)
    for status in HTTPStatus
    if status >= 200 and status not in _NO_BODY
}
"""Lines of HTTP/1.1 for responses with a body: how nearly every response begins.

In one look it is known that the line is one. Those that were looked at are put here, too.
"""


def final_status(line: bytes) -> int:
    """What ``USUAL`` says, or could: the status of a response of HTTP/1.1 with a body; else 0.

    Raises BadResponse where the line is none.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadResponse("the status line is malformed")
    status = int(found[1])
    if status in _NO_BODY or line[7:8] == b"0":
        return 0
    # Applications choose their phrases, so there is a bound to how many are kept.
    if len(USUAL) < _KEPT and len(line) <= _KEPT_OCTETS:
        USUAL[line] = status
    return status


def interim_status(line: bytes) -> int:
    """The status of a response before the response. Raises BadResponse."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadResponse("the status line is malformed")
    return int(found[1])
