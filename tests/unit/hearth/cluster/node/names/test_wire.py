"""Packets of DNS, read and written."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.names.wire import Question, answer, failure, pack, read_question
from hearth.cluster.node.names.zone import Found

NAME = "web.ns.svc.cluster.local"


def ask(name: str = NAME, kind: str = "A", payload: int | None = None) -> Question:
    question = read_question(dns.message.make_query(name, kind, payload=payload).to_wire())
    assert isinstance(question, Question)
    return question


def told(question: Question, found: Found | None) -> list[str]:
    reply = dns.message.from_wire(pack(answer(question, found), question, by_tcp=True))
    assert reply.id == question.message.id
    return [text for records in reply.answer for text in records.to_text().splitlines()]


def test_a_name_is_read_in_lower_case_and_answered_as_it_was_asked() -> None:
    question = ask("Web.NS.svc.cluster.local")
    assert question.name == NAME
    found = Found(addresses=("10.96.1.2",))
    assert told(question, found) == ["Web.NS.svc.cluster.local. 5 IN A 10.96.1.2"]


def test_aliases_come_before_the_address() -> None:
    found = Found(("gateway.svc.cluster.local",), ("10.96.1.2",))
    assert told(ask(), found) == [
        f"{NAME}. 5 IN CNAME gateway.svc.cluster.local.",
        "gateway.svc.cluster.local. 5 IN A 10.96.1.2",
    ]


def test_there_are_no_addresses_of_ipv6_and_that_is_no_error() -> None:
    question = ask(kind="AAAA")
    assert told(question, Found(addresses=("10.96.1.2",))) == []
    assert answer(question, Found(addresses=("10.96.1.2",))).rcode() == dns.rcode.NOERROR


def test_a_name_that_there_is_not() -> None:
    assert answer(ask(), None).rcode() == dns.rcode.NXDOMAIN
    assert failure(ask()).rcode() == dns.rcode.SERVFAIL


def test_what_others_say_follows_the_aliases() -> None:
    question = ask()
    elsewhere = dns.message.make_response(question.about("www.example.com"))
    elsewhere.answer.append(dns.rrset.from_text("www.example.com.", 60, "IN", "A", "192.0.2.7"))
    found = Found(("www.example.com",), outside="www.example.com")
    reply = answer(question, found, elsewhere=elsewhere)
    assert [records.to_text() for records in reply.answer] == [
        f"{NAME}. 5 IN CNAME www.example.com.",
        "www.example.com. 60 IN A 192.0.2.7",
    ]


def test_what_is_too_long_for_udp_says_so() -> None:
    found = Found(addresses=tuple(f"10.0.{n}.1" for n in range(200)))
    for payload, limit in ((None, 512), (4096, 1232)):
        question = ask(payload=payload)
        packet = pack(answer(question, found), question, by_tcp=False)
        assert len(packet) <= limit
        assert dns.message.from_wire(packet).flags & dns.flags.TC
    assert len(told(question, found)) == 200


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (b"\x12\x34\x01\x00" + b"\0\1" + bytes(6), dns.rcode.FORMERR),
        (b"\x12\x34\x01\x00" + bytes(8), dns.rcode.NOTIMP),
        (b"\x12\x34\x28\x00" + bytes(8), dns.rcode.NOTIMP),
        (b"\x12\x34\x01\x00" + b"\0\1" + bytes(6) + b"\0\0\1\0\3", dns.rcode.REFUSED),
    ],
    ids=["cut short", "no question", "an update", "another class"],
)
def test_what_is_wrong_with_a_packet_is_said(packet: bytes, code: dns.rcode.Rcode) -> None:
    reply = read_question(packet)
    assert isinstance(reply, bytes)
    assert dns.message.from_wire(reply, ignore_trailing=True).rcode() == code
    assert reply[:2] == packet[:2]


def test_answers_and_scraps_are_dropped() -> None:
    assert read_question(b"\x12\x34\x81\x80" + bytes(8)) is None
    assert read_question(b"\x12\x34") is None


@given(
    st.integers(0, 70),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=8),
    st.sampled_from([-1, 0]),
)
def test_no_packet_is_too_much(length: int, changes: list[tuple[int, int]], edns: int) -> None:
    packet = bytearray(dns.message.make_query(NAME, "A", use_edns=edns).to_wire())
    for place, value in changes:
        packet[place % len(packet)] = value
    question = read_question(bytes(packet[:length]))
    if isinstance(question, Question):
        reply = answer(question, Found(addresses=("10.96.1.2",)))
        assert len(pack(reply, question, by_tcp=False)) <= 1232
        assert question.about(NAME).to_wire()
