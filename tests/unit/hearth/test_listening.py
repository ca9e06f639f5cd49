"""The program by which connections are dealt out among the sockets of one port."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hearth.listening import dealing


def run(program: list[tuple[int, int, int, int]], random: int) -> int:
    """What the kernel makes of it (classic BPF, as far as it is used)."""
    accumulator = at = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        match code:
            case 0x20:  # ld [random]
                accumulator = random
            case 0x94:  # mod #k
                accumulator %= value
            case 0x15:  # jeq #k, jt, jf
                at += if_true if accumulator == value else if_false
            case 0x06:  # ret #k
                return value


@given(st.sets(st.integers(0, 63), min_size=1).map(sorted))
def test_each_live_one_is_dealt_as_many_as_any_other(live: list[int]) -> None:
    program = dealing(live)
    assert len(program) <= 4096  # BPF_MAXINSNS
    dealt = Counter(run(program, random) for random in range(3 * len(live)))
    assert dealt == dict.fromkeys(live, 3)
