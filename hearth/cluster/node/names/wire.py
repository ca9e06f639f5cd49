"""Questions and answers of DNS as packets. Pure.

Whatever a container sends is read here; what cannot be read is answered with a code or not at all
(RFC 1035, section 4.1.1), and no packet makes this raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from hearth.cluster.node.names.zone import Found

TTL_SECONDS = 5
MOST_OCTETS = 4096
"""Of a question; and of an answer by TCP there are at most 65,535."""
_HEADER = 12
_PLAIN_UDP, _SAFE_UDP = 512, 1232
"""What every client takes, and what passes any network in one piece (DNS flag day 2020)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a name in lower case without its final dot, and the packet as it was read."""

    name: str
    message: dns.message.Message

    @property
    def wants_addresses(self) -> bool:
        """Whether it is about addresses of IPv4, the only ones that there are."""
        return self.message.question[0].rdtype in (dns.rdatatype.A, dns.rdatatype.ANY)

    def about(self, name: str) -> dns.message.Message:
        """The same question about another name, to be asked elsewhere."""
        return dns.message.make_query(name, self.message.question[0].rdtype)


def read_question(packet: bytes) -> Question | bytes | None:
    """The question in a packet, an answer that says what is wrong with it; None: to be dropped."""
    if len(packet) < _HEADER or packet[2] & 0x80:  # no header; or it is an answer itself
        return None
    try:
        message = dns.message.from_wire(packet, ignore_trailing=True)
        if message.opcode() != dns.opcode.QUERY or len(message.question) != 1:
            return _refusal(packet, dns.rcode.NOTIMP)
        asked = message.question[0]
        if asked.rdclass != dns.rdataclass.IN:
            return _refusal(packet, dns.rcode.REFUSED)
        return Question(asked.name.to_text(omit_final_dot=True).lower(), message)
    except (dns.exception.DNSException, ValueError, NotImplementedError):
        return _refusal(packet, dns.rcode.FORMERR)


def _refusal(packet: bytes, code: dns.rcode.Rcode) -> bytes:
    """A header alone: the id and operation of the question, and the code."""
    flags = (packet[2] & 0x79) | 0x80
    return packet[:2] + bytes((flags, int(code))) + bytes(8)


def answer(
    question: Question, found: Found | None, *, elsewhere: dns.message.Message | None = None
) -> dns.message.Message:
    """What is told of a name; ``elsewhere`` is what others answered about its ``outside`` part."""
    reply = dns.message.make_response(question.message, recursion_available=True)
    if found is None:
        reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply
    name = question.message.question[0].name
    for alias in found.aliases:
        reply.answer.append(_records(name, dns.rdatatype.CNAME, [f"{alias}."]))
        name = dns.name.from_text(f"{alias}.")
    if elsewhere is not None:
        reply.set_rcode(elsewhere.rcode())
        reply.answer += elsewhere.answer
    elif not found.outside:
        reply.flags |= dns.flags.AA
        if found.addresses and question.wants_addresses:
            reply.answer.append(_records(name, dns.rdatatype.A, found.addresses))
    return reply


def failure(question: Question) -> dns.message.Message:
    """Nobody who could know has answered."""
    reply = dns.message.make_response(question.message, recursion_available=True)
    reply.set_rcode(dns.rcode.SERVFAIL)
    return reply


def pack(reply: dns.message.Message, question: Question, *, by_tcp: bool) -> bytes:
    """The packet of an answer, its addresses in any order.

    What is too long for UDP says that TCP has the whole.
    """
    asked = question.message
    limit = max(_PLAIN_UDP, min(asked.payload, _SAFE_UDP)) if asked.edns >= 0 else _PLAIN_UDP
    size = 65535 if by_tcp else limit
    return reply.to_wire(max_size=size, prefer_truncation=True)


def _records(
    name: dns.name.Name, kind: dns.rdatatype.RdataType, texts: Sequence[str]
) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, TTL_SECONDS, dns.rdataclass.IN, kind, texts)
