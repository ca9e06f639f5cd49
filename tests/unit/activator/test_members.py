"""Which activators there are, and which pod is whose."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from activator.members import HAUNTED_SECONDS, UNKNOWN_SECONDS, Members, owner_of

NAMES = st.lists(st.text("abcdef0123456789.:", min_size=1), min_size=1, max_size=6, unique=True)
PODS = [f"pod-{number}@10.0.0.{number % 250}:8080" for number in range(600)]


def test_every_activator_owns_its_share() -> None:
    activators = [f"10.1.0.{number}:8082" for number in range(3)]
    shares = Counter(owner_of(pod, activators) for pod in PODS)
    assert set(shares) == set(activators)
    assert max(shares.values()) < len(PODS) / 3 * 1.25


@given(names=NAMES, newcomer=st.text("ghij", min_size=1))
def test_one_more_moves_only_what_it_takes(names: list[str], newcomer: str) -> None:
    for pod in PODS[:50]:
        before, after = owner_of(pod, names), owner_of(pod, [*names, newcomer])
        assert after in (before, newcomer)


@given(names=NAMES)
def test_the_order_of_the_activators_does_not_matter(names: list[str]) -> None:
    for pod in PODS[:50]:
        assert owner_of(pod, names) == owner_of(pod, reversed(names))


def test_one_that_cannot_be_heard_is_unknown_until_it_is_there_again_or_gone() -> None:
    members = Members("me")
    members.join("a")
    members.lose("a", 1.0)
    assert ("a" in members, members.unknown) == (False, ["a"])
    members.join("a")
    assert ("a" in members, members.unknown) == (True, [])
    members.lose("a", 2.0)
    members.bury("a", 2.0)
    assert members.unknown == []
    assert members.haunted_until(2.0) == 2.0 + HAUNTED_SECONDS
    # It may come back under its name, and what it has left behind is there all the same.
    members.join("a")
    assert members.haunted_until(2.0) == 2.0 + HAUNTED_SECONDS


def test_one_that_stays_unknown_is_unreachable_at_last_however_often_it_is_suspected() -> None:
    members = Members("me")
    for now in range(10):
        members.suspect("a", float(now))
    assert members.unreachable(UNKNOWN_SECONDS) == []
    assert members.unreachable(UNKNOWN_SECONDS + 0.1) == ["a"]


def test_a_newcomer_hears_of_all_that_may_have_requests_somewhere() -> None:
    members = Members("me")
    members.join("there")
    for peer in ("unknown", "gone"):
        members.suspect(peer, 0.0)
    members.bury("gone", 5.0)
    assert members.greeting(5.5) == ["there", "unknown", "gone"]
    assert members.greeting(5.0 + HAUNTED_SECONDS) == ["there", "unknown"]


def test_one_that_is_leaving_owns_nothing_unless_all_are() -> None:
    members = Members("me")
    members.join("a")
    members.leave("a")
    assert {members.owner(pod) for pod in PODS[:50]} == {"me"}
    members.leave("me")
    assert {members.owner(pod) for pod in PODS[:50]} == {"me", "a"}
    members.join("b")
    assert {members.owner(pod) for pod in PODS[:50]} == {"b"}
