"""Keys and buckets: knative.dev/pkg/hash's choice, balanced, and steady when buckets are added."""

from __future__ import annotations

from collections import Counter

from hearth.kube.buckets import Buckets

KEYS = [f"default/service-{number}" for number in range(3000)]


def names(count: int) -> list[str]:
    return [f"control.{number:02d}-of-{count:02d}" for number in range(count)]


def test_one_bucket_has_everything() -> None:
    assert {Buckets(names(1)).owner(key) for key in KEYS} == set(names(1))


def test_every_bucket_has_its_share() -> None:
    buckets = Buckets(names(5))
    shares = Counter(map(buckets.owner, KEYS))
    assert set(shares) == set(names(5))
    assert min(shares.values()) > len(KEYS) / 5 * 0.7
    assert max(shares.values()) < len(KEYS) / 5 * 1.3


def test_the_order_of_the_names_does_not_matter() -> None:
    one, two = Buckets(names(4)), Buckets(reversed(names(4)))
    assert [one.owner(key) for key in KEYS] == [two.owner(key) for key in KEYS]


def test_the_choice_is_that_of_knative() -> None:
    buckets = Buckets(["monsoon", "chubasco", "aguacero", "chaparrón"])
    assert buckets.owner("hagel") == "monsoon"
    assert buckets.owner("snow") == "chubasco"


def test_a_bucket_more_moves_only_what_it_takes_over() -> None:
    few, more = Buckets(["a", "b", "c"]), Buckets(["a", "b", "c", "d"])
    moved = [key for key in KEYS if few.owner(key) != more.owner(key)]
    assert len(moved) < len(KEYS) * 0.35
    # Two names whose hashes meet push each other on, so a few keys move for that alone.
    assert sum(more.owner(key) != "d" for key in moved) < len(KEYS) * 0.01
