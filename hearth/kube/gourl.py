"""URLs as Go's net/url reads and writes them, with its complaints.

Pure; the webhooks of eventing use it for what objects refer to.
"""

from __future__ import annotations

import re
from urllib.parse import quote as percent_encode

from hearth.kube.gotext import quote

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_IN_HOSTS = re.compile(r"[\x00-\x20\"<>\\^`{|}\x7f]")
_PORT = re.compile(r":[0-9]*\Z")
_UNRESERVED = "/$&+,:;=@-_.~!*'()[]%"


def normalized(text: str) -> str:
    """Return the URL as it is written back; raises ValueError with ``parse "...": ...``."""
    try:
        return _normalized(text)
    except ValueError as error:
        raise ValueError(f"parse {quote(text)}: {error}") from None


def _normalized(text: str) -> str:
    if any(ord(c) < 0x20 or c == "\x7f" for c in text):
        raise ValueError("net/url: invalid control character in URL")
    rest, hash_, fragment = text.partition("#")
    scheme = ""
    if rest.startswith(":"):
        raise ValueError("missing protocol scheme")
    if match := _SCHEME.match(rest):
        scheme, rest = match[1].lower() + ":", rest[match.end() :]
    elif ":" in rest.split("/", 1)[0].split("?", 1)[0]:
        raise ValueError("first path segment in URL cannot contain colon")
    rest, mark, query = rest.partition("?")
    if scheme and not rest.startswith("/"):
        return scheme + rest + mark + query + hash_ + fragment
    authority = ""
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        authority, rest = "//" + _authority(host), slash + path
    end = percent_encode(_checked(fragment), safe=_UNRESERVED + "?")
    return scheme + authority + _path(rest) + mark + query + (hash_ and "#" + end)


def _checked(text: str) -> str:
    if bad := _ESCAPE.search(text):
        raise ValueError(f"invalid URL escape {quote(text[bad.start() : bad.start() + 3])}")
    return text


def _path(text: str) -> str:
    return percent_encode(_checked(text), safe=_UNRESERVED)


def _authority(text: str) -> str:
    user, at, host = text.rpartition("@")
    if bad := _NOT_IN_HOSTS.search(host):
        raise ValueError(f"invalid character {quote(bad[0])} in host name")
    port = host[host.rindex("]") + 1 :] if "]" in host else host[host.find(":") :]
    if ":" in port and not _PORT.fullmatch(port):
        raise ValueError(f"invalid port {quote(port)} after host")
    return user + at + percent_encode(_checked(host), safe=_UNRESERVED)
