"""Where programs listen: the kernel's tables, and what is wrong with a port that nobody answers."""

from __future__ import annotations

import pytest

from hearth.cluster.node.pod.listening import Listening, describe, parse_sockets

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
   2: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0
   3: broken
"""
TABLE_6 = """\
  sl  local_address                         remote_address                        st ...
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 9
   1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 8
"""


def test_tables_of_the_kernel() -> None:
    assert list(parse_sockets(TABLE)) == [(4711, ("127.0.0.1", 8080)), (4712, ("0.0.0.0", 22))]
    assert list(parse_sockets(TABLE_6)) == [(9, ("::1", 8080)), (8, ("::ffff:7f00:1", 80))]


@pytest.mark.parametrize(
    ("places", "is_own_network", "words"),
    [
        (set(), True, ""),
        ({("0.0.0.0", 8080)}, True, ""),
        ({("127.0.0.1", 8080)}, False, ""),
        ({("127.0.0.1", 8080), ("::", 8080)}, True, ""),
        ({("127.0.0.1", 8080)}, True, "port 8080 is listened on at 127.0.0.1 alone"),
        ({("::ffff:7f00:1", 8080)}, True, "listen on 0.0.0.0"),
        ({("0.0.0.0", 5000)}, True, "its program listens on port 5000: say so (--port"),
        ({("::1", 5000)}, True, "listens on port 5000 of ::1 alone"),
        (
            {("0.0.0.0", 5000), ("::", 80)},
            False,
            "port 80, port 5000: listen on the port that PORT",
        ),
    ],
)
def test_what_is_wrong(places: set[tuple[str, int]], is_own_network: bool, words: str) -> None:
    said = describe(8080, Listening(frozenset(places), is_own_network))
    assert words in said and bool(said) == bool(words)
