"""Requests that some readers take amiss and the standards allow, each with what it means."""

from __future__ import annotations

from typing import NamedTuple

from activator.http.fields import Trailers

Meaning = tuple[bytes, bytes, bytes, bytes, Trailers]
"""Method, target, authority, body and trailers of a request."""


class Reading(NamedTuple):
    name: str
    data: bytes
    requests: tuple[Meaning, ...]


def post(name: str, lines: str, body: str, content: bytes, trailers: Trailers = ()) -> Reading:
    text = f"POST / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n\r\n{body}"
    meaning = (b"POST", b"/", b"a.test", content, tuple(trailers))
    return Reading(name, text.encode("latin-1"), (meaning,))


def chunks(name: str, body: str, content: bytes = b"abc", trailers: Trailers = ()) -> Reading:
    return post(f"chunk: {name}", "Transfer-Encoding: chunked", body, content, trailers)


def line(name: str, first: str, method: bytes, target: bytes, host: bytes = b"a.test") -> Reading:
    data = f"{first}\r\nHost: a.test\r\n\r\n".encode("latin-1")
    return Reading(name, data, ((method, target, host, b"", ()),))


GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
GOT: Meaning = (b"GET", b"/", b"a.test", b"", ())
_LAST = "3\r\nabc\r\n0\r\n\r\n"

READINGS = [
    # Any token is a method (RFC 9110, section 9.1), and letters matter.
    *(
        line(f"method: {method}", f"{method} / HTTP/1.1", method.encode(), b"/")
        for method in (
            *("get", "post", "head", "connect", "Get", "GETT", "GE", "G", "X", "0", "PURGE"),
            *("FLUSH", "PRI", "SETUP", "DESCRIBE", "SOURCE", "QUERY", "BREW", "M-SEARCH"),
            *("!#$%&'*+-.^_`|~", "VERSION-CONTROL", "A" * 200),
        )
    ),
    Reading(
        "methods: three that are not known, behind each other",
        b"A /1 HTTP/1.1\r\nHost: a.test\r\n\r\n"
        b"B /2 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc"
        b"GET /3 HTTP/1.1\r\nHost: a.test\r\n\r\n"
        b"C /4 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        (
            (b"A", b"/1", b"a.test", b"", ()),
            (b"B", b"/2", b"a.test", b"abc", ()),
            (b"GET", b"/3", b"a.test", b"", ()),
            (b"C", b"/4", b"a.test", b"", ()),
        ),
    ),
    # RFC 9112, section 2.2: empty lines before a request are passed over.
    Reading("line: an empty one before it", b"\r\n" + GET, (GOT,)),
    Reading("line: three empty ones before it", b"\r\n\r\n\r\n" + GET, (GOT,)),
    Reading("line: an empty one between two", GET + b"\r\n" + GET, (GOT, GOT)),
    # Section 3.2.2: the authority of an absolute target replaces the Host.
    line("target: absolute", "GET http://b.test/x?y HTTP/1.1", b"GET", b"/x?y", b"b.test"),
    line("target: absolute, no path", "GET http://b.test HTTP/1.1", b"GET", b"/", b"b.test"),
    line("target: absolute, a query", "GET http://b.test?y HTTP/1.1", b"GET", b"/?y", b"b.test"),
    line("target: absolute, a port", "GET http://b.test:8/ HTTP/1.1", b"GET", b"/", b"b.test:8"),
    line("target: absolute, large", "GET HTTP://b.test/ HTTP/1.1", b"GET", b"/", b"b.test"),
    line("target: the whole server", "OPTIONS * HTTP/1.1", b"OPTIONS", b"*"),
    line("target: two slashes", "GET //b.test/ HTTP/1.1", b"GET", b"//b.test/"),
    line("target: dots", "GET /a/../b/./c HTTP/1.1", b"GET", b"/a/../b/./c"),
    line("target: percent signs", "GET /%00%0d%0a%2f HTTP/1.1", b"GET", b"/%00%0d%0a%2f"),
    line("target: not of a URI", 'GET /"<>\\^`{|} HTTP/1.1', b"GET", b'/"<>\\^`{|}'),
    line("target: a URI within", "GET /http://b.test/ HTTP/1.1", b"GET", b"/http://b.test/"),
    line("target: the query's slash", "GET /?a=/b?c HTTP/1.1", b"GET", b"/?a=/b?c"),
    # Space around a value is none of it (RFC 9112, section 5).
    post("length: no space", "Content-Length:3", "abc", b"abc"),
    post("length: much space", "Content-Length:  \t 3 \t ", "abc", b"abc"),
    post("length: zeros before it", "Content-Length: 0003", "abc", b"abc"),
    post("length: zero", "Content-Length: 0", "", b""),
    post("length: another case", "cONTENT-lENGTH: 3", "abc", b"abc"),
    post("coding: no space", "Transfer-Encoding:chunked", _LAST, b"abc"),
    post("coding: a tab before it", "Transfer-Encoding:\tchunked", _LAST, b"abc"),
    post("coding: spaces behind it", "Transfer-Encoding: chunked  ", _LAST, b"abc"),
    post("coding: another case", "TRANSFER-encoding: CHUNKed", _LAST, b"abc"),
    post(
        "length: named by Connection",
        "Connection: Content-Length\r\nContent-Length: 3",
        "abc",
        b"abc",
    ),
    post("expect: another case", "Expect: 100-Continue\r\nContent-Length: 3", "abc", b"abc"),
    Reading(
        "HTTP/1.0: an expectation that it does not know",
        b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        ((b"POST", b"/", b"", b"abc", ()),),
    ),
    Reading("HTTP/1.0: no host", b"GET / HTTP/1.0\r\n\r\n", ((b"GET", b"/", b"", b"", ()),)),
    Reading(
        "HTTP/1.0: kept alive",
        b"GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n" * 2,
        (GOT, GOT),
    ),
    Reading("HTTP/1.0: not kept alive", b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n" * 2, (GOT,)),
    Reading(
        "connection: close, and what follows",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n" + GET,
        (GOT,),
    ),
    *(
        Reading(
            f"body: of a {method.decode()}",
            method + b" / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc" + GET,
            ((method, b"/", b"a.test", b"abc", ()), GOT),
        )
        for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"TRACE")
    ),
    Reading(
        "body: none announced",
        b"POST / HTTP/1.1\r\nHost: a.test\r\n\r\n" + GET,
        ((b"POST", *GOT[1:]), GOT),
    ),
    # RFC 9112, section 7.1: extensions that nobody knows are passed over, and not passed on.
    chunks("zeros before sizes", "0003\r\nabc\r\n000\r\n\r\n"),
    chunks("a size in large letters", "A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    chunks("a size in small letters", "a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    chunks("an extension", "3;a\r\nabc\r\n0\r\n\r\n"),
    chunks("an extension with a value", "3;a=b\r\nabc\r\n0;c=d\r\n\r\n"),
    chunks("an extension with a quoted value", '3;a="b;\\"c"\r\nabc\r\n0\r\n\r\n'),
    chunks("an extension with nothing behind its sign", "3;a=\r\nabc\r\n0\r\n\r\n"),
    chunks("an extension with nothing before its sign", "3;=b\r\nabc\r\n0\r\n\r\n"),
    chunks("line ends within", "4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    chunks("a request within", f"{len(GET):x}\r\n{GET.decode()}\r\n0\r\n\r\n", GET),
    chunks("a trailer", "0\r\nX: 1\r\n\r\n", b"", [(b"X", b"1")]),
    chunks("a trailer that is empty", "0\r\nX:\r\n\r\n", b"", [(b"X", b"")]),
    # RFC 9110, section 6.5.1: what would change the request is left out.
    *(
        chunks(
            f"a trailer that is none: {name}",
            f"0\r\n{name}: x\r\nX: 1\r\n\r\n",
            b"",
            [(b"X", b"1")],
        )
        for name in (
            *("Host", "Connection", "TE", "Trailer", "Authorization", "Cookie", "Expect"),
            *("Cache-Control", "Content-Type", "Content-Encoding", "Content-Range"),
            *("Max-Forwards", "Set-Cookie", "Proxy-Authorization", "Keep-Alive", "Upgrade"),
            "HTTP2-Settings",
        )
    ),
]
