"""What an owner counts of others' slots: reports that stand for all before them."""

from __future__ import annotations

from activator.claims import Claim
from activator.pods import Pod


def a_claim(*awaited: str) -> Claim:
    return Claim(Pod(("10.0.0.1", 8080), name="pod-1"), awaited)


def gives(claim: Claim) -> bool:
    return claim.is_open


def test_no_slot_is_given_before_all_have_been_heard() -> None:
    claim = a_claim("a", "b")
    assert not gives(claim) and claim.awaits("a")
    claim.ask("a", 1)
    claim.ask("b", 2)
    assert claim.hear("a", 1, 3) == 3
    assert not gives(claim)
    assert claim.hear("b", 2, 0) == 0
    assert gives(claim)
    assert claim.pod.lent == 3


def test_an_answer_to_an_earlier_question_is_none() -> None:
    claim = a_claim()
    claim.ask("a", 5)
    assert claim.hear("a", 4, 3) == 0
    assert claim.awaits("a")


def test_slots_given_while_a_report_was_on_its_way_count_as_well() -> None:
    claim = a_claim()
    claim.ask("a", 1)
    claim.hear("a", 1, 0)
    for number in (2, 3):
        claim.lend("a", number)
    assert claim.pod.lent == 2
    # It has used the first; the second is still to come.
    assert claim.hear("a", 2, 1) == 0
    # The first has ended.
    assert claim.hear("a", 2, 0) == -1
    assert claim.hear("a", 3, 0) == -1
    assert claim.pod.lent == 0


def test_one_that_was_lost_is_asked_anew_and_keeps_what_it_had_until_then() -> None:
    claim = a_claim()
    claim.ask("a", 1)
    claim.hear("a", 1, 2)
    claim.lose_touch("a")
    assert gives(claim) and claim.must_ask("a")
    assert claim.hear("a", 1, 0) == 0
    assert claim.pod.lent == 2
    claim.ask("a", 9)
    assert not gives(claim)
    assert claim.hear("a", 9, 1) == -1


def test_what_one_leaves_behind_is_only_known_if_it_had_been_heard() -> None:
    claim = a_claim("b")
    claim.ask("a", 1)
    claim.hear("a", 1, 2)
    assert claim.bury("a") == (2, True)
    assert claim.bury("b") == (0, False)
    assert claim.bury("nobody") == (0, True)
    assert gives(claim) and claim.pod.lent == 0


def test_whoever_counts_no_more_forgets_what_was_lent() -> None:
    claim = a_claim()
    claim.ask("a", 1)
    claim.hear("a", 1, 2)
    assert claim.end() == 2
    assert claim.pod.lent == 0
