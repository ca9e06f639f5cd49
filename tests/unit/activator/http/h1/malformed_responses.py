"""Responses of applications that are malformed or ambiguous: none of them is passed on."""

from __future__ import annotations

from typing import NamedTuple


class Bad(NamedTuple):
    name: str
    data: bytes
    begins: bool = False
    """Its head is good and passed on; the fault is behind it, and cuts the response off."""


def of(text: str, name: str, *, begins: bool = False) -> Bad:
    return Bad(name, text.encode("latin-1"), begins)


def line(text: str, name: str) -> Bad:
    return of(f"{text}\r\nContent-Length: 0\r\n\r\n", f"status line: {name}")


def field(lines: str, name: str) -> Bad:
    return of(f"HTTP/1.1 200 OK\r\n{lines}\r\nContent-Length: 0\r\n\r\n", f"field: {name}")


def length(value: str, name: str) -> Bad:
    return of(f"HTTP/1.1 200 OK\r\nContent-Length:{value}\r\n\r\nabc", f"length: {name}")


_LAST = "3\r\nabc\r\n0\r\n\r\n"


def coding(value: str, name: str) -> Bad:
    text = f"HTTP/1.1 200 OK\r\nTransfer-Encoding:{value}\r\n\r\n{_LAST}"
    return of(text, f"coding: {name}")


def chunks(body: str, name: str) -> Bad:
    text = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
    return of(text, f"chunk: {name}", begins=True)


_OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

RESPONSES: list[Bad] = [
    of("garbage\r\n\r\n", "no HTTP"),
    of("SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
    of("{}\r\n\r\n", "JSON"),
    line("HTTP/1.1  200 OK", "two spaces before the status"),
    line("HTTP/1.1\t200 OK", "a tab before the status"),
    line("HTTP/1.1 200\tOK", "a tab behind the status"),
    line("HTTP/1.1 200OK", "nothing behind the status"),
    line("HTTP/1.1200 OK", "nothing before the status"),
    line("HTTP/1.1 2000 OK", "four digits"),
    line("HTTP/1.1 20 OK", "two digits"),
    line("HTTP/1.1 2 00", "a space within the status"),
    line("HTTP/1.1 000 X", "status 000"),
    line("HTTP/1.1 099 X", "status 099"),
    line("HTTP/1.1 +20 X", "a signed status"),
    line("HTTP/1.1 2x0 X", "a letter in the status"),
    line("HTTP/1.1", "no status"),
    line("HTTP/2.0 200 OK", "version 2.0"),
    line("HTTP/1.2 200 OK", "version 1.2"),
    line("HTTP/0.9 200 OK", "version 0.9"),
    line("HTTP/1.11 200 OK", "version 1.11"),
    line("HTTP/1 200 OK", "no minor version"),
    line("http/1.1 200 OK", "in small letters"),
    line("ICY 200 OK", "of Icecast"),
    line(" HTTP/1.1 200 OK", "a space first"),
    line("\r\nHTTP/1.1 200 OK", "an empty line first"),
    line("\nHTTP/1.1 200 OK", "LF first"),
    line("HTTP/1.1 200 O\x00K", "NUL in the phrase"),
    line("HTTP/1.1 200 O\x01K", "a control character in the phrase"),
    line("HTTP/1.1 200 O\x7fK", "DEL in the phrase"),
    line("HTTP/1.1 200 O\rK", "CR in the phrase"),
    line("HTTP/1.1 200 OK\r", "CR CR LF for its end"),
    of("HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n", "LF for every end"),
    of("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "status line: LF for its end"),
    field("X : a", "a space before the colon"),
    field("X\t: a", "a tab before the colon"),
    field("X\x00: a", "NUL in the name"),
    field("X\xff: a", "a name that is not ASCII"),
    field("X(: a", "a delimiter in the name"),
    field("X Y: a", "a space in the name"),
    field(": a", "no name"),
    field("X", "no colon"),
    field(" X: a", "a space first"),
    field("X: \x00", "NUL in the value"),
    field("X: \x01", "a control character in the value"),
    field("X: \x7f", "DEL in the value"),
    field("X: a\rb", "CR in the value"),
    field("X: a\nb", "LF in the value"),
    field("X: a\nY: b", "LF for the end of a line"),
    field("X: a\r\n b", "folded"),
    field("X:\r\n a", "folded before its value"),
    field("X: a\r\r", "two CR for the end of a line"),
    of("HTTP/1.1 200 OK\r\nX: " + "a" * 70_000 + "\r\n\r\n", "field: too large"),
    of("HTTP/1.1 200 OK\r\nX: " + "a" * 70_000, "field: without end"),
    length(" +3", "a plus"),
    length(" -3", "a minus"),
    length(" 3.0", "a point"),
    length(" 0x3", "hexadecimal"),
    length(" 3 3", "a space within"),
    length(" 3;", "a semicolon"),
    length("", "nothing at all"),
    length(" x", "a word"),
    length(" \xb3", "a digit that is not ASCII"),
    length(" 3\x00", "NUL behind it"),
    length(" \x0b3", "a vertical tab before it"),
    length("\r\n 3", "folded"),
    length(" 3, 4", "a list of others"),
    length(" 3,", "a list that ends with a comma"),
    length(" ,3", "a list that begins with a comma"),
    length(" 3\r\nContent-Length: 4", "two"),
    length(" 3\r\nContent-Length: 03", "two that are written in another way"),
    length(" 3\r\nContent-Length: +3", "one and a malformed one"),
    length(" 3\r\nContent-Length:", "one and an empty one"),
    length(" " + "9" * 40, "40 digits"),
    length(" 18446744073709551619", "2 to the 64th and 3"),
    of("HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc", "length: a space before the colon"),
    of("HTTP/1.1 200 OK\r\n Content-Length: 3\r\n\r\nabc", "length: a space first"),
    of(_OK.replace(" 0", " 3") + "abcd", "length: one octet more"),
    of(_OK.replace(" 0", " 3") + "abc\r\n", "length: an empty line more"),
    of(_OK + "\r\n", "length: none, and an empty line"),
    of(_OK + _OK, "length: another response behind it"),
    of(_OK.replace(" 0", " 3") + "abc" + _OK, "length: another response behind the body"),
    coding(" ", "empty"),
    coding(" identity", "identity"),
    coding(" gzip", "gzip"),
    coding(" xchunked", "a letter before it"),
    coding(" chunked, identity", "chunked is not the last"),
    coding(" chunked, chunked", "chunked twice"),
    coding(" gzip, chunked", "one that would have to be undone"),
    coding(" chunked\r\nTransfer-Encoding: chunked", "two fields"),
    coding(" chunked\r\nTransfer-Encoding: identity", "two fields, the last another"),
    coding(" x\r\nTransfer-Encoding: chunked", "two fields, the first another"),
    coding(" chun\r\nTransfer-Encoding: ked", "its halves in two fields"),
    coding(' "chunked"', "quoted"),
    coding(" chunked;", "a semicolon"),
    coding(" chunked foo", "a word behind it"),
    coding(" chunked\x00", "NUL behind it"),
    coding(" \x0bchunked", "a vertical tab before it"),
    coding(" chunked\x0b", "a vertical tab behind it"),
    coding(" chunked\t", "a tab behind it"),
    coding(" ,chunked", "an empty member before it"),
    coding(" chunked,", "an empty member behind it"),
    coding(" chun\xe2\x84\xaaed", "the sign of Kelvin for its k"),
    coding("\r\n chunked", "folded"),
    of(
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n{_LAST}",
        "coding: a space before the colon",
    ),
    coding(" chunked\r\nContent-Length: 3", "and a length"),
    length(" 3\r\nTransfer-Encoding: chunked", "and a coding"),
    length(" 3\r\nTransfer-Encoding: identity", "and another coding"),
    chunks("\r\nabc\r\n0\r\n\r\n", "no size"),
    chunks("0x3\r\nabc\r\n0\r\n\r\n", "a size with 0x"),
    chunks("-3\r\nabc\r\n0\r\n\r\n", "a size below zero"),
    chunks(" 3\r\nabc\r\n0\r\n\r\n", "a space before the size"),
    chunks("3 \r\nabc\r\n0\r\n\r\n", "a space behind the size"),
    chunks("f" * 17 + "\r\nabc", "a size of more than 64 bits"),
    chunks("3\nabc\r\n0\r\n\r\n", "LF behind the size"),
    chunks("3\rabc\r\n0\r\n\r\n", "CR behind the size"),
    chunks("3\r\nabc\n0\r\n\r\n", "LF behind the content"),
    chunks("3\r\nabcd\r\n0\r\n\r\n", "more than the size says"),
    chunks("3\r\nab\r\n0\r\n\r\n", "less than the size says"),
    chunks("3\r\nabcXX0\r\n\r\n", "two other octets behind the content"),
    chunks("3;a\nb\r\nabc\r\n0\r\n\r\n", "LF in an extension"),
    chunks("3;\nabc\r\n0\r\n\r\n", "LF for the end of an extension"),
    chunks('3;a="b\r\nabc\r\n0\r\n\r\n', "a quoted value that does not end"),
    chunks("0\r\n\n", "LF for the end of trailers"),
    chunks("0\r\nT: x\n\r\n", "LF behind a trailer"),
    chunks("0\r\nT : x\r\n\r\n", "a space before a trailer's colon"),
    chunks("0\r\n T: x\r\n\r\n", "a space before a trailer"),
    chunks("0\r\nContent-Length: 5\r\n\r\n", "a length for a trailer"),
    chunks(_LAST + "x", "an octet behind the last"),
    chunks(_LAST + "\r\n", "an empty line behind the last"),
    chunks("0\r\nT: x\r\n\r\n\r\n", "an empty line behind the trailers"),
    chunks(_LAST + _OK, "another response behind the last"),
    of("HTTP/1.1 100 Continue\r\nX : y\r\n\r\n" + _OK, "interim: a malformed field"),
    of("HTTP/1.1 103  Hints\x00\r\n\r\n" + _OK, "interim: a malformed status line"),
    of("HTTP/1.1 103 Hints\nX: y\r\n\r\n" + _OK, "interim: LF for an end"),
    of("HTTP/1.1 103 Hints\r\n\r\ngarbage\r\n\r\n", "interim: no response behind it"),
    of("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "an upgrade that nobody asked for"),
    of("HTTP/1.0 101 Switching\r\n\r\n", "an upgrade in HTTP/1.0"),
]
