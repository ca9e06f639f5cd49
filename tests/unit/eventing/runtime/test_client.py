"""What is said of an attempt that found nobody."""

from __future__ import annotations

import socket

from eventing.runtime.client import why_none
from eventing.runtime.target import parse_target


def test_a_name_alone_that_nobody_knows_is_told_with_what_to_write() -> None:
    unknown = socket.gaierror(-2, "Name or service not known")
    text = why_none(unknown, parse_target("http://orders/", None))
    assert text == (
        "[Errno -2] Name or service not known: a Service is NAME.NAMESPACE.svc.cluster.local, "
        "orders is a name alone"
    )
    assert why_none(unknown, parse_target("http://a.b.example/", None)) == str(unknown)
    refused = ConnectionRefusedError(111, "refused")
    assert why_none(refused, parse_target("http://orders/", None)) == str(refused)
