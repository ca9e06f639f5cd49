"""What a head says of its framing: codings, expectations, targets, hosts."""

from __future__ import annotations

import pytest

from activator.http.events import UNKNOWN, RequestHead
from activator.http.h1.framing import (
    check_hosts,
    check_version,
    coded_length,
    decoded_settings,
    made_up_head,
    settle_expectation,
    settle_target,
)
from activator.http.refusals import FramingError


def status(call: object, *arguments: object, **named: object) -> int:
    assert callable(call)
    with pytest.raises(FramingError) as error:
        call(*arguments, **named)
    return error.value.refusal.status


def test_chunked_and_nothing_else_is_a_coding() -> None:
    assert coded_length(b"\t Chunked ", is_11=True) == UNKNOWN
    assert status(coded_length, b"gzip, chunked", is_11=True) == 501
    for coding in (b"gzip", b"chunked, gzip", b",chunked", b"chunked\t", b"chunked,chunked,x"):
        assert status(coded_length, coding, is_11=True) == 400
    assert status(coded_length, b"chunked", is_11=False) == 400


def test_there_is_one_expectation() -> None:
    for is_11 in (True, False):
        head = RequestHead()
        settle_expectation(head, b" 100-CONTINUE ", is_11=is_11)
        assert head.expects_continue is is_11
    assert status(settle_expectation, head, b"100-continue,x", is_11=True) == 417


def test_versions_and_hosts() -> None:
    assert check_version("1.1") and not check_version("1.0")
    assert status(check_version, "0.9") == 400
    assert status(check_version, "2.0") == 505
    check_hosts(1, is_11=True)
    check_hosts(0, is_11=False)
    for hosts, is_11 in ((0, True), (2, True), (2, False)):
        assert status(check_hosts, hosts, is_11=is_11) == 400


def test_an_absolute_target_gives_the_authority() -> None:
    head = RequestHead.of(b"GET", b"http://b.test?q", b"a.test")
    settle_target(head)
    assert (head.target, head.authority, head.is_absolute) == (b"/?q", b"b.test", True)


def test_settings_are_six_octets_each() -> None:
    assert decoded_settings([b" AAMAAABk "]) == b"\x00\x03\x00\x00\x00d"
    assert decoded_settings([b""]) == b""
    for fields in ([], [b"AA"], [b"*"], [b"AAMAAABk", b"AAMAAABk"]):
        assert decoded_settings(fields) is None


def test_a_head_is_made_up_for_a_length() -> None:
    assert b"\r\nContent-Length: 3\r\n" in made_up_head(3, is_closing=False)
    made = made_up_head(UNKNOWN, is_closing=True)
    assert b"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" in made
