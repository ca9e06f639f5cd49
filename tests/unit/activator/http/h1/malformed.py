"""Heads of requests that are malformed or ambiguous, each with its answer.

Of RFC 9112 (section 11 and the rules it stands on) and of published research on request smuggling
and on differences between parsers. ``malformed_bodies`` has those whose framing is at fault.
"""

from __future__ import annotations

from typing import NamedTuple

HOST = "a.test"


class Case(NamedTuple):
    """What a client sends; how often, how it is cut, and by which connection must not matter."""

    name: str
    data: bytes
    status: int = 400
    """Of the one answer behind which the connection is closed."""
    heads: int = 0
    """Requests that an application hears of: before this one, or of this one before its fault."""
    whole: int = 0
    """Those of them that are whole."""


def line(first: str | bytes, name: str, status: int = 400) -> Case:
    """A request with this first line."""
    data = first if isinstance(first, bytes) else first.encode("latin-1")
    return Case(name, data + b"\r\nHost: %b\r\n\r\n" % HOST.encode(), status)


def target(text: str, name: str, status: int = 400, method: str = "GET") -> Case:
    return line(f"{method} {text} HTTP/1.1", f"target: {name}", status)


def head(lines: str | bytes, name: str, status: int = 400) -> Case:
    """A request with these field lines behind its Host, given with their ends but for the last."""
    data = lines if isinstance(lines, bytes) else lines.encode("latin-1")
    first = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n".encode()
    return Case(name, first + data + b"\r\n\r\n", status)


def raw(data: str | bytes, name: str, status: int = 400) -> Case:
    return Case(name, data if isinstance(data, bytes) else data.encode("latin-1"), status)


REQUEST_LINES = [
    line("GET  / HTTP/1.1", "line: two spaces before the target"),
    line("GET /  HTTP/1.1", "line: two spaces before the version"),
    line(" GET / HTTP/1.1", "line: a space first"),
    line("\tGET / HTTP/1.1", "line: a tab first"),
    line("GET / HTTP/1.1 ", "line: a space last"),
    line("GET / HTTP/1.1\t", "line: a tab last"),
    line("GET\t/ HTTP/1.1", "line: a tab before the target"),
    line("GET /\tHTTP/1.1", "line: a tab before the version"),
    line("GET\x0b/ HTTP/1.1", "line: a vertical tab before the target"),
    line("GET\x0c/ HTTP/1.1", "line: a form feed before the target"),
    line("GET\xa0/ HTTP/1.1", "line: a no-break space before the target"),
    line("GET\r / HTTP/1.1", "line: CR before the target"),
    line("GET /\r HTTP/1.1", "line: CR before the version"),
    line("GET / \rHTTP/1.1", "line: CR within the version"),
    line("GET /\x00 HTTP/1.1", "line: NUL in the target"),
    line("GE\x00T / HTTP/1.1", "line: NUL in the method"),
    line("\x00GET / HTTP/1.1", "line: NUL first"),
    line("GET / HTTP/1.1\x00", "line: NUL last"),
    line("GET", "line: a method and nothing else"),
    line("GET ", "line: a method and a space"),
    line("GET /", "line: no version (HTTP/0.9)"),
    line("GET / ", "line: no version but a space"),
    line("GET HTTP/1.1", "line: no target"),
    line("/ HTTP/1.1", "line: no method"),
    line("GET / x HTTP/1.1", "line: four words"),
    line("GET / HTTP/1.1 x", "line: a word behind the version"),
    line("GET / HTTP/1.1, HTTP/1.1", "line: two versions"),
    line("G(T / HTTP/1.1", "method: a delimiter"),
    line("GET: / HTTP/1.1", "method: a colon"),
    line("G@T / HTTP/1.1", "method: an at sign"),
    line('"GET" / HTTP/1.1', "method: quoted"),
    line("[GET] / HTTP/1.1", "method: in brackets"),
    line("G\xc9T / HTTP/1.1", "method: not ASCII"),
    line("GET\x7f / HTTP/1.1", "method: DEL"),
    line("GET,POST / HTTP/1.1", "method: two"),
    line("G/T / HTTP/1.1", "method: a slash"),
    line("HTTP/1.1 200 OK", "line: a status line"),
    raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "line: TLS"),
    raw(b"SSH-2.0-OpenSSH_9.2\r\n", "line: SSH"),
    raw(b"\r\n\n\r\n", "line: empty ones that are none"),
    raw(f"\nGET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "line: a bare LF first"),
    raw(f"\rGET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "line: a bare CR first"),
    raw(f"\r\n GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "line: a space behind an empty line"),
    raw(f"GET / HTTP/1.1\nHost: {HOST}\n\n", "line: LF for every end"),
    raw(f"GET / HTTP/1.1\nHost: {HOST}\r\n\r\n", "line: LF for its end"),
    raw(f"GET / HTTP/1.1\rHost: {HOST}\r\r", "line: CR for every end"),
    raw(f"GET / HTTP/1.1\r\r\nHost: {HOST}\r\n\r\n", "line: CR CR LF for its end"),
    raw("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n", "line: PROXY protocol"),
]

VERSIONS = [
    line("GET / HTTP/0.9", "version: 0.9"),
    line("GET / HTTP/1.2", "version: 1.2", 505),
    line("GET / HTTP/1.9", "version: 1.9", 505),
    line("GET / HTTP/2.0", "version: 2.0 in a request of another version", 505),
    line("GET / HTTP/3.0", "version: 3.0", 505),
    line("GET / HTTP/9.9", "version: 9.9", 505),
    line("GET / HTTP/1.11", "version: two digits behind the point"),
    line("GET / HTTP/11.1", "version: two digits before the point"),
    line("GET / HTTP/01.1", "version: a zero first"),
    line("GET / HTTP/1", "version: no point"),
    line("GET / HTTP/1.", "version: nothing behind the point"),
    line("GET / HTTP/.1", "version: nothing before the point"),
    line("GET / HTTP/1,1", "version: a comma"),
    line("GET / HTTP/ 1.1", "version: a space within"),
    line("GET / HTTP /1.1", "version: a space before the slash"),
    line("GET / HTTP/1 .1", "version: a space before the point"),
    line("GET / HTTP/+1.1", "version: signed"),
    line("GET / HTTP/1.x", "version: a letter"),
    line("GET / HTTP/\xb9.1", "version: not ASCII"),
    line("GET / http/1.1", "version: in small letters"),
    line("GET / HTTPS/1.1", "version: another name"),
    line("GET / HTP/1.1", "version: a letter too few"),
    line("GET / ICE/1.0", "version: of Icecast"),
    line("DESCRIBE / RTSP/1.0", "version: of RTSP"),
    line("GET / HTTP1.1", "version: no slash"),
    line("GET / 1.1", "version: no name"),
]

TARGETS = [
    target("nowhere", "a word"),
    target("*", "a star that is no OPTIONS"),
    target("*", "a star to POST to", method="POST"),
    target("**", "two stars", method="OPTIONS"),
    target("*/", "a star with a path", method="OPTIONS"),
    target("/a#b", "a fragment"),
    target("#", "nothing but a fragment"),
    target("/\xff", "an octet that is not ASCII"),
    target("/\x7f", "DEL"),
    target("/\x01", "a control character"),
    target("?a", "a query without a path"),
    target("\\", "a backslash"),
    target("ftp://a.test/", "another scheme"),
    target("https://a.test/", "a scheme that this listener has not"),
    target("javascript:alert(1)", "a scheme without an authority"),
    target("http:/a.test/", "one slash"),
    target("http:///", "no authority"),
    target("http://?a", "no authority but a query"),
    target("http://u@a.test/", "user information"),
    target("http://u:p@a.test/", "user information with a password"),
    target("http://a.test/#b", "an absolute one with a fragment"),
    target("http://a.test\\@b.test/", "a backslash in the authority"),
    target("://a.test/", "no scheme"),
    target("HTTP//a.test/", "no colon"),
    target("a.test:80", "an authority that is no CONNECT"),
    target("a.test:443", "CONNECT", 405, method="CONNECT"),
    target("/", "CONNECT with a path", 405, method="CONNECT"),
    target("", "CONNECT to nowhere", method="CONNECT"),
]

FIELDS = [
    head("X : a", "field: a space before the colon"),
    raw(f"BREW / HTTP/1.1\r\nHost: {HOST}\r\nX : a\r\n\r\n", "field: the same, method unknown"),
    raw(
        f"BREW / HTTP/1.1\r\nHost: {HOST}\r\nContent_Length: 3\r\n\r\nabc",
        "field: an underscore, method unknown",
    ),
    head("X\t: a", "field: a tab before the colon"),
    head("X\x0b: a", "field: a vertical tab before the colon"),
    head("X\r: a", "field: CR before the colon"),
    head("X\n: a", "field: LF before the colon"),
    head("X\r\n: a", "field: a line end before the colon"),
    head(": a", "field: no name"),
    head(" : a", "field: a space for a name"),
    head("X", "field: no colon"),
    head("X a", "field: a space for a colon"),
    head("X=a", "field: an equals sign for a colon"),
    head("X Y: a", "field: a space in the name"),
    head("X\x00: a", "field: NUL in the name"),
    head("\x00X: a", "field: NUL before the name"),
    head("X\x7f: a", "field: DEL in the name"),
    head("X\xff: a", "field: a name that is not ASCII"),
    head("\xefX: a", "field: the beginning of a byte order mark"),
    head("X(Y): a", "field: a delimiter in the name"),
    head("X,Y: a", "field: a comma in the name"),
    head("X/Y: a", "field: a slash in the name"),
    head("X;Y: a", "field: a semicolon in the name"),
    head('"X": a', "field: a quoted name"),
    head("[X]: a", "field: a name in brackets"),
    head("{X}: a", "field: a name in braces"),
    head("X@: a", "field: an at sign in the name"),
    head("X\\: a", "field: a backslash in the name"),
    head("X: a\x00b", "field: NUL in the value"),
    head("X: \x00", "field: NUL for a value"),
    head("X: a\x01b", "field: a control character in the value"),
    head("X: a\x0bb", "field: a vertical tab in the value"),
    head("X: a\x1bb", "field: an escape in the value"),
    head("X: a\x7fb", "field: DEL in the value"),
    head("X: a\rb", "field: CR in the value"),
    head("X: a\nb", "field: LF in the value"),
    head("X: a\nY: b", "field: LF for the end of a line"),
    head("X: a\rY: b", "field: CR for the end of a line"),
    head("X: a\n\rY: b", "field: LF CR for the end of a line"),
    head("X: a\r\r\nY: b", "field: CR CR LF for the end of a line"),
    head("X: a\r\n b", "field: folded"),
    head("X: a\r\n\tb", "field: folded by a tab"),
    head("X:\r\n a", "field: folded before its value"),
    head("X: a\r\n \r\nY: b", "field: folded with nothing"),
    head("X: a\r\n : b", "field: folded with a colon"),
    head("X: a\r\n Y: b", "field: a space before a name"),
    head("X: a\r\n\x0bY: b", "field: a vertical tab before a name"),
    head("X: a\n\n", "field: two LF before the end"),
    raw(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\n", "end: LF for the empty line"),
    raw(f"GET / HTTP/1.1\r\nHost: {HOST}\n\r\n", "end: LF for the line before it"),
    raw(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\rX", "end: CR and something else"),
    raw(f"GET / HTTP/1.1\r\n Host: {HOST}\r\n\r\n", "field: a space before the first name"),
    raw(f"GET / HTTP/1.1\r\n\tHost: {HOST}\r\n\r\n", "field: a tab before the first name"),
    raw(f"GET / HTTP/1.1\r\n \r\nHost: {HOST}\r\n\r\n", "field: a line of nothing but space"),
    raw(f"GET / HTTP/1.1\r\n\r\nHost: {HOST}\r\n\r\n", "field: the empty line first"),
    head("X: " + "a" * 70_000, "field: too large", 431),
    head("X" * 70_000 + ": a", "field: a name too large", 431),
    head("\r\n".join(f"X-{n}: a" for n in range(300)), "field: too many", 431),
    line("GET /" + "a" * 70_000 + " HTTP/1.1", "target: too large", 431),
]


def hosts(lines: str, name: str, status: int = 400, first: str = "GET / HTTP/1.1") -> Case:
    return raw(f"{first}\r\n{lines}\r\n", f"host: {name}", status)


HOSTS = [
    hosts("", "none"),
    hosts("X: a\r\n", "none among others"),
    hosts("Host: a.test\r\nHost: a.test\r\n", "the same twice"),
    hosts("Host: a.test\r\nHost: b.test\r\n", "two"),
    hosts("Host: a.test\r\nhost: b.test\r\n", "two, one in small letters"),
    hosts("Host: a.test\r\nX: y\r\nHost: b.test\r\n", "two apart"),
    hosts("Host: a.test\r\nHost:\r\n", "one and an empty one"),
    hosts("Host: a.test\r\nHost : b.test\r\n", "one and one with a space before its colon"),
    hosts("Host: a.test\r\n Host: b.test\r\n", "one and one with a space before it"),
    hosts("Host: a.test\r\nHost: b.test\r\n", "two in HTTP/1.0", first="GET / HTTP/1.0"),
    hosts("Host: a.test\r\nHost: b.test\r\n", "two beside one", first="GET http://c/ HTTP/1.1"),
    hosts("Host: a.test\r\nHost: b.test\r\n", "two, method unknown", first="BREW / HTTP/1.1"),
    hosts("X: a\r\n", "none, method unknown", first="BREW / HTTP/1.1"),
    hosts("", "none beside an absolute target", first="GET http://a.test/ HTTP/1.1"),
    hosts("Host: a.test\x00\r\n", "NUL"),
    hosts("Host:\r\n a.test\r\n", "folded"),
    hosts("Host: a.\r\n test\r\n", "folded within"),
]

# A server half takes any; the gateway looks for the host's routes, and sees that it is none.
NO_HOSTS = [
    hosts("Host: a.test, b.test\r\n", "a list"),
    hosts("Host: a.test b.test\r\n", "a space within"),
    hosts("Host: a.test\tb.test\r\n", "a tab within"),
    hosts("Host: a.test/b\r\n", "a path"),
    hosts("Host: a.test?b\r\n", "a query"),
    hosts("Host: a.test#b\r\n", "a fragment"),
    hosts("Host: u@a.test\r\n", "user information"),
    hosts("Host: http://a.test\r\n", "a scheme"),
    hosts("Host: a.test\\b\r\n", "a backslash"),
    hosts("Host: a.test:x\r\n", "a port that is no number"),
    hosts("Host: a.test:80:80\r\n", "two ports"),
    hosts("Host: a.test:-1\r\n", "a port below zero"),
    hosts("Host: [::1\r\n", "an address without its end"),
    hosts("Host: ::1\r\n", "an address without brackets"),
    hosts("Host: a\xe4.test\r\n", "not ASCII"),
    hosts("Host: <a.test>\r\n", "in angle brackets"),
]

HEADS: list[Case] = [*REQUEST_LINES, *VERSIONS, *TARGETS, *FIELDS, *HOSTS]
