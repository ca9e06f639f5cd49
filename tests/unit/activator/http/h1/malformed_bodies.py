"""Requests whose framing is malformed or ambiguous, each with its answer; see ``malformed``."""

from __future__ import annotations

from tests.unit.activator.http.h1.malformed import HOST, Case

HIDDEN = f"GET /hidden HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
_CHUNK = f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n"


def post(lines: str, name: str, body: str = "", status: int = 400, heads: int = 0) -> Case:
    """A POST with these field lines, without the last one's end."""
    text = f"POST / HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n\r\n{body}"
    return Case(name, text.encode("latin-1"), status, heads)


def length(value: str, name: str, status: int = 400) -> Case:
    return post(f"Content-Length:{value}", f"length: {name}", "abc", status)


def coding(value: str, name: str, status: int = 400) -> Case:
    return post(f"Transfer-Encoding:{value}", f"coding: {name}", _CHUNK, status)


def both(lines: str, name: str, body: str = _CHUNK, status: int = 400) -> Case:
    return post(lines, f"both: {name}", body, status)


def chunks(body: str, name: str, status: int = 400) -> Case:
    return post("Transfer-Encoding: chunked", f"chunk: {name}", body, status, heads=1)


LENGTHS = [
    length(" +3", "a plus"),
    length(" -3", "a minus"),
    length(" -0", "minus zero"),
    length(" 3.0", "a point"),
    length(" 3e0", "an exponent"),
    length(" 0x3", "hexadecimal"),
    length(" 3h", "a letter behind it"),
    length(" 1_0", "an underscore"),
    length(" 3 3", "a space within"),
    length(" 3\t3", "a tab within"),
    length(" 3;", "a semicolon"),
    length(' "3"', "quoted"),
    length(" ", "empty"),
    length("", "nothing at all"),
    length(" three", "a word"),
    length(" \xb3", "a digit that is not ASCII"),
    length(" 3\x00", "NUL behind it"),
    length(" \x0b3", "a vertical tab before it"),
    length(" 3\x0c", "a form feed behind it"),
    length(" 3, 3", "a list of equals"),
    length(" 3, 4", "a list of others"),
    length(" 3,", "a list that ends with a comma"),
    length(" ,3", "a list that begins with a comma"),
    length(" 18446744073709551616", "2 to the 64th"),
    length(" 18446744073709551619", "2 to the 64th and 3"),
    length(" 4294967299999999999999", "more than 64 bits"),
    length(" " + "9" * 40, "40 digits"),
    length(" 3\r\nContent-Length: 3", "twice"),
    length(" 3\r\nContent-Length: 4", "two"),
    length(" 3\r\ncontent-length: 4", "two, one in small letters"),
    length(" 0\r\nContent-Length: 3", "zero and another"),
    length(" 3\r\nContent-Length:", "one and an empty one"),
    length(" 3\r\nContent-Length: x", "one and a malformed one"),
    length(" 3\r\nX: y\r\nContent-Length: 4", "two apart"),
    length("\r\n 3", "folded"),
    length(" 3\r\n 3", "folded within"),
    post("Content-Length : 3", "length: a space before the colon", "abc"),
    post("Content-Length\t: 3", "length: a tab before the colon", "abc"),
    post("Content-Length\x00: 3", "length: NUL before the colon", "abc"),
    post("X: y\n Content-Length: 3", "length: behind a bare LF", "abc"),
    post(" Content-Length: 3", "length: a space before the name", "abc"),
    post("Content_Length: 3", "length: an underscore for its hyphen", "abc"),
]

CODINGS = [
    coding(" ", "empty"),
    coding("", "nothing at all"),
    coding(" identity", "identity"),
    coding(" gzip", "not chunked"),
    coding(" xchunked", "a letter before it"),
    coding(" chunkedx", "a letter behind it"),
    coding(" chunk", "cut short"),
    coding(" chunked, identity", "chunked is not the last"),
    coding(" chunked, gzip", "chunked is not the last one of two"),
    coding(" chunked, chunked", "chunked twice"),
    coding(" gzip, chunked", "one that would have to be undone", 501),
    coding(" gzip, deflate, chunked", "two that would have to be undone", 501),
    coding(" identity, chunked", "identity before it", 501),
    coding(" chunked\r\nTransfer-Encoding: chunked", "two fields"),
    coding(" chunked\r\nTransfer-Encoding: identity", "two fields, the last not chunked"),
    coding(" identity\r\nTransfer-Encoding: chunked", "two fields, the last chunked", 501),
    coding(" chunked\r\nTransfer-Encoding:", "one field and an empty one"),
    coding("\r\nTransfer-Encoding: chunked", "an empty field and one"),
    coding(" x\r\nTransfer-encoding: chunked", "two fields in another case", 501),
    coding(' "chunked"', "quoted"),
    coding(" 'chunked'", "quoted otherwise"),
    coding(" [chunked]", "in brackets"),
    coding(" chunked;", "a semicolon"),
    coding(" chunked;q=1", "a parameter"),
    coding(" chunked foo", "a word behind it"),
    coding(" foo chunked", "a word before it"),
    coding(" chunked\x00", "NUL behind it"),
    coding(" \x00chunked", "NUL before it"),
    coding(" \x0bchunked", "a vertical tab before it"),
    coding(" chunked\x0b", "a vertical tab behind it"),
    coding(" \x0cchunked", "a form feed before it"),
    coding(" chunked\x0c", "a form feed behind it"),
    coding(" \x01chunked", "a control character before it"),
    coding(" \xa0chunked", "a no-break space before it"),
    coding(" chun\xe2\x84\xaaed", "the sign of Kelvin for its k"),
    coding(" \xffchunked", "an octet that is not ASCII before it"),
    coding(" chunked\x7f", "DEL behind it"),
    coding(" ,chunked", "an empty member before it"),
    coding(" chunked,", "an empty member behind it"),
    coding(" chunked\t", "a tab behind it"),
    coding(" chunked \t ", "a tab and spaces behind it"),
    coding(" chun\r\nTransfer-Encoding: ked", "its halves in two fields"),
    coding("\r\n chunked", "folded"),
    coding("\r\n\tchunked", "folded by a tab"),
    coding(" chu\r\n nked", "folded within"),
    coding(" \rchunked", "CR before it"),
    coding(" chunked\r", "CR behind it"),
    coding(" \nchunked", "LF before it"),
    coding(" x\nTransfer-Encoding: chunked", "behind a bare LF"),
    coding(" x\rTransfer-Encoding: chunked", "behind a bare CR"),
    post("Transfer-Encoding : chunked", "coding: a space before the colon", _CHUNK),
    post("Transfer-Encoding\t: chunked", "coding: a tab before the colon", _CHUNK),
    post("Transfer-Encoding\r\n : chunked", "coding: a folded colon", _CHUNK),
    post("Transfer-Encoding\x00: chunked", "coding: NUL before the colon", _CHUNK),
    post("Transfer-Encoding\xff: chunked", "coding: not ASCII before the colon", _CHUNK),
    post(" Transfer-Encoding: chunked", "coding: a space before the name", _CHUNK),
    post("X: y\r\n Transfer-Encoding: chunked", "coding: folded to another field", _CHUNK),
    post("\x00Transfer-Encoding: chunked", "coding: NUL before the name", _CHUNK),
    post("Transfer Encoding: chunked", "coding: a space for its hyphen", _CHUNK),
    post("Transfer_Encoding: chunked", "coding: an underscore for its hyphen", _CHUNK),
    post("Transfer-Encoding chunked", "coding: no colon", _CHUNK),
]

_TE, _CL = "Transfer-Encoding: chunked", "Content-Length: {}"

BOTH = [
    both(f"{_CL.format(5)}\r\n{_TE}", "CL.TE", "0\r\n\r\n" + HIDDEN),
    both(f"{_TE}\r\n{_CL.format(5)}", "TE.CL", "0\r\n\r\n" + HIDDEN),
    both(f"{_CL.format(0)}\r\n{_TE}", "0.TE", _CHUNK),
    both(f"{_TE}\r\n{_CL.format(0)}", "TE.0", _CHUNK),
    both(f"{_CL.format(len(_CHUNK))}\r\n{_TE}", "lengths that agree", _CHUNK),
    both(f"{_CL.format(5)}\r\nX: y\r\n{_TE}", "apart", "0\r\n\r\n" + HIDDEN),
    both(f"{_CL.format(5)}\r\nTransfer-Encoding: identity", "identity", "abcde" + HIDDEN),
    both(f"{_CL.format(5)}\r\nTransfer-Encoding: gzip", "gzip", "abcde" + HIDDEN),
    both(f"{_CL.format(5)}\r\nTransfer-Encoding: xchunked", "no coding", "abcde" + HIDDEN),
    both(f"{_CL.format(5)}\r\nTransfer-Encoding:", "an empty coding", "abcde" + HIDDEN),
    both(f"{_CL.format(5)}\r\n{_TE}, identity", "TE.TE, not the last", "abcde" + HIDDEN),
    both(f"{_CL.format(5)}\r\n{_TE}\r\nTransfer-Encoding: x", "TE.TE, two fields", "0\r\n\r\n"),
    both(f"{_CL.format(5)}\r\nTransfer-Encoding: x\r\n{_TE}", "TE.TE, chunked last", "0\r\n\r\n"),
    both(f"{_CL.format(5)}\r\nTransfer_Encoding: chunked", "an underscore", "abcde"),
    both(f"{_CL.format(5)}\r\nTransfer-Encoding : chunked", "a space", "abcde"),
    both(f"{_CL.format(5)}\r\nX: y\n{_TE}", "behind a bare LF", "abcde"),
    both(f"{_CL.format(5)}\r\nX: y\r\n {_TE}", "folded", "abcde"),
    both(f"Content_Length: 5\r\n{_TE}", "an underscore in the length", "0\r\n\r\n"),
    both(f"Connection: Content-Length\r\n{_CL.format(5)}\r\n{_TE}", "named by Connection"),
    both(f"Connection: Transfer-Encoding\r\n{_CL.format(5)}\r\n{_TE}", "the other named"),
]

CHUNKS = [
    chunks("\r\nabc\r\n0\r\n\r\n", "no size"),
    chunks(";a\r\nabc\r\n0\r\n\r\n", "an extension without a size"),
    chunks("zz\r\nabc\r\n0\r\n\r\n", "a size that is no number"),
    chunks("0x3\r\nabc\r\n0\r\n\r\n", "a size with 0x"),
    chunks("3h\r\nabc\r\n0\r\n\r\n", "a size with h"),
    chunks("-3\r\nabc\r\n0\r\n\r\n", "a size below zero"),
    chunks("+3\r\nabc\r\n0\r\n\r\n", "a signed size"),
    chunks("-0\r\n\r\n", "minus zero"),
    chunks(" 3\r\nabc\r\n0\r\n\r\n", "a space before the size"),
    chunks("\t3\r\nabc\r\n0\r\n\r\n", "a tab before the size"),
    chunks("3 \r\nabc\r\n0\r\n\r\n", "a space behind the size"),
    chunks("3\t\r\nabc\r\n0\r\n\r\n", "a tab behind the size"),
    chunks("3 ;a\r\nabc\r\n0\r\n\r\n", "a space before an extension"),
    chunks("3 3\r\nabc\r\n0\r\n\r\n", "a space within the size"),
    chunks("3_3\r\nabc\r\n0\r\n\r\n", "an underscore within the size"),
    chunks("3.0\r\nabc\r\n0\r\n\r\n", "a point"),
    chunks("3,3\r\nabc\r\n0\r\n\r\n", "a comma"),
    chunks("3\x00\r\nabc\r\n0\r\n\r\n", "NUL behind the size"),
    chunks("\xb3\r\nabc\r\n0\r\n\r\n", "a digit that is not ASCII"),
    chunks("\x0b3\r\nabc\r\n0\r\n\r\n", "a vertical tab before the size"),
    chunks("f" * 17 + "\r\nabc", "a size of more than 64 bits"),
    chunks("1" + "0" * 16 + "3\r\nabc\r\n0\r\n\r\n", "2 to the 64th and 3"),
    chunks("100000003" + "0" * 8 + "\r\nabc", "a size that 32 bits cut"),
    chunks("0" * 70_000 + "3\r\nabc\r\n0\r\n\r\n", "zeros without end"),
    chunks("3\nabc\r\n0\r\n\r\n", "LF behind the size"),
    chunks("3\rabc\r\n0\r\n\r\n", "CR behind the size"),
    chunks("3\n\rabc\r\n0\r\n\r\n", "LF CR behind the size"),
    chunks("3\r\r\nabc\r\n0\r\n\r\n", "CR CR LF behind the size"),
    chunks("3\r\nabc\n0\r\n\r\n", "LF behind the content"),
    chunks("3\r\nabc\r0\r\n\r\n", "CR behind the content"),
    chunks("3\r\nabc0\r\n\r\n", "nothing behind the content"),
    chunks("3\r\nabc\r\r\n0\r\n\r\n", "CR CR LF behind the content"),
    chunks("3\r\nabc \r\n0\r\n\r\n", "a space behind the content"),
    chunks("3\r\nabcd\r\n0\r\n\r\n", "more than the size says"),
    chunks("3\r\nab\r\n0\r\n\r\n", "less than the size says"),
    chunks("3\r\nabcXX0\r\n\r\n", "two other octets behind the content (spill)"),
    chunks("3\r\nabc\r\n\r\n0\r\n\r\n", "an empty line between chunks"),
    chunks("3;a\nb\r\nabc\r\n0\r\n\r\n", "LF in an extension (TERM.EXT)"),
    chunks("3;\nabc\r\n0\r\n\r\n", "LF for the end of an extension (EXT.TERM)"),
    chunks("3;a\rb\r\nabc\r\n0\r\n\r\n", "CR in an extension"),
    chunks("3;a\x00b\r\nabc\r\n0\r\n\r\n", "NUL in an extension"),
    chunks("3;a\x01\r\nabc\r\n0\r\n\r\n", "a control character in an extension"),
    chunks("3;\r\nabc\r\n0\r\n\r\n", "an extension without a name"),
    chunks('3;a="b\r\nabc\r\n0\r\n\r\n', "a quoted value that does not end"),
    chunks('3;a="b"c\r\nabc\r\n0\r\n\r\n', "something behind a quoted value"),
    chunks('3;a="\r\n"\r\nabc\r\n0\r\n\r\n', "a line end in a quoted value"),
    chunks('3;a="\n"\r\nabc\r\n0\r\n\r\n', "LF in a quoted value"),
    chunks("3;a b\r\nabc\r\n0\r\n\r\n", "a space in an extension"),
    chunks("3;" + "a" * 70_000 + "\r\nabc\r\n0\r\n\r\n", "an extension without end"),
    chunks(("1;" + "a" * 1000 + "\r\na\r\n") * 100, "more extensions than content"),
    chunks("0\n\r\n", "LF behind the last size"),
    chunks("0\r\n\n", "LF for the end of trailers"),
    chunks("0\r\n\rX", "CR and something else for the end of trailers"),
    chunks("0 \r\n\r\n", "a space behind the last size"),
    chunks("0\r\nT: x\n\r\n", "LF behind a trailer"),
    chunks("0\r\nT: x\rY: z\r\n\r\n", "CR behind a trailer"),
    chunks("0\r\nT : x\r\n\r\n", "a space before a trailer's colon"),
    chunks("0\r\nT: x\r\n y\r\n\r\n", "a folded trailer"),
    chunks("0\r\n T: x\r\n\r\n", "a space before a trailer"),
    chunks("0\r\nT\r\n\r\n", "a trailer without a colon"),
    chunks("0\r\n: x\r\n\r\n", "a trailer without a name"),
    chunks("0\r\nT: \x00\r\n\r\n", "NUL in a trailer"),
    chunks("0\r\nContent-Length: 5\r\n\r\nabcde", "a length for a trailer"),
    chunks("0\r\nTransfer-Encoding: chunked\r\n\r\n" + _CHUNK, "a coding for a trailer"),
    chunks("0\r\nT: " + "a" * 70_000 + "\r\n\r\n", "a trailer too large"),
    chunks("0\r\n" + "T: x\r\n" * 300 + "\r\n", "too many trailers", 431),
    chunks(HIDDEN, "a request for a chunk"),
]


def old(lines: str, name: str, body: str = "", status: int = 400) -> Case:
    text = f"POST / HTTP/1.0\r\nHost: {HOST}\r\n{lines}\r\n{body}"
    return Case(f"HTTP/1.0: {name}", text.encode(), status)


OTHERS = [
    old("Transfer-Encoding: chunked\r\n", "chunked", _CHUNK),
    old("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", "chunked, kept", _CHUNK),
    old("Transfer-Encoding: identity\r\n", "identity", "abc"),
    old("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "both", _CHUNK),
    old("Content-Length: 3\r\nContent-Length: 4\r\n", "two lengths", "abcd"),
    post("Expect: 200-ok\r\nContent-Length: 3", "expect: another", "abc", 417),
    post("Expect: y 100-continue\r\nContent-Length: 3", "expect: a word before it", "abc", 417),
    post("Expect: 100-continue, x\r\nContent-Length: 3", "expect: one among others", "abc", 417),
    post("Expect: 100-continue;x\r\nContent-Length: 3", "expect: a parameter", "abc", 417),
    post("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 3", "expect: two", "abc", 417),
    post("Expect: 100-continue\r\n x\r\nContent-Length: 3", "expect: folded", "abc"),
    post("Expect:\r\nContent-Length: 3", "expect: empty", "abc", 417),
    Case(
        "behind another: a body that nobody announced (CL.0)",
        f"GET /1 HTTP/1.1\r\nHost: {HOST}\r\n\r\nabc".encode()
        + f" GET /hidden HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode(),
        heads=1,
        whole=1,
    ),
    Case(
        "behind another: one octet more than the length says",
        f"POST /1 HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\n\r\nabc@{HIDDEN}".encode(),
        heads=1,
        whole=1,
    ),
    Case(
        "behind another: a length below what comes (0.CL)",
        f"POST /1 HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n\x01bc{HIDDEN}".encode(),
        heads=1,
        whole=1,
    ),
    Case(
        "behind another: octets behind the last chunk",
        f"POST /1 HTTP/1.1\r\nHost: {HOST}\r\n{_TE}\r\n\r\n0\r\n\r\n: x\r\n{HIDDEN}".encode(),
        heads=1,
        whole=1,
    ),
    Case(
        "behind another: two lengths",
        (
            f"GET /1 HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
            f"POST /2 HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
        ).encode(),
        heads=1,
        whole=1,
    ),
]

BODIES: list[Case] = [*LENGTHS, *CODINGS, *BOTH, *CHUNKS, *OTHERS]
