"""The tables of HPACK (RFC 7541, section 2.3). Pure."""

from __future__ import annotations

from activator.http.fields import Field

ENTRY_OCTETS = 32
"""What an entry costs beside its name and value (section 4.1)."""
DEFAULT_TABLE_OCTETS = 4096

# Name by name, with the values of those that have several entries.
_STATIC = """
:authority; :method GET|POST; :path /|/index.html; :scheme http|https;
:status 200|204|206|304|400|404|500; accept-charset; accept-encoding gzip, deflate;
accept-language; accept-ranges; accept; access-control-allow-origin; age; allow; authorization;
cache-control; content-disposition; content-encoding; content-language; content-length;
content-location; content-range; content-type; cookie; date; etag; expect; expires; from; host;
if-match; if-modified-since; if-none-match; if-range; if-unmodified-since; last-modified; link;
location; max-forwards; proxy-authenticate; proxy-authorization; range; referer; refresh;
retry-after; server; set-cookie; strict-transport-security; transfer-encoding; user-agent; vary;
via; www-authenticate
"""


def _static() -> tuple[Field, ...]:
    made: list[Field] = [(b"", b"")]
    for entry in _STATIC.replace("\n", " ").split(";"):
        name, _, values = entry.strip().partition(" ")
        made += [(name.encode(), value.encode()) for value in values.split("|")]
    return tuple(made)


STATIC = _static()
"""The static table (appendix A), from index 1 on."""

FIRST_DYNAMIC = len(STATIC)


def size_of(field: Field) -> int:
    """What an entry takes of a table's size."""
    return len(field[0]) + len(field[1]) + ENTRY_OCTETS
