"""What owners are told of requests in their pods, and when."""

from __future__ import annotations

from activator.places import Held, Places, pod_id
from activator.pods import Pod

POD = Pod(("10.0.0.1", 8080), name="pod-1")
NAME = pod_id(POD)


def places_with(pod: Pod) -> Places:
    places = Places()
    assert places.update({NAME: pod}) == {}
    return places


def told(places: Places, owner: str) -> dict[str, Held]:
    places.touch_all()
    return places.news(lambda pod: owner)


def a_pod(in_flight: int) -> Pod:
    pod = Pod(POD.address, name=POD.name)
    pod.in_flight = in_flight
    return pod


def test_only_an_owner_that_has_claimed_it_is_told_and_only_news() -> None:
    places = places_with(a_pod(2))
    assert told(places, "a") == {}
    assert places.spoken_of("b", [NAME]) == {}
    assert told(places, "a") == {}
    assert told(places, "b") == {"b": {NAME: [2, False]}}
    assert told(places, "b") == {}


def test_an_owner_is_told_again_when_another_was_told_in_between() -> None:
    places = places_with(a_pod(1))
    for peer in ("a", "b"):
        places.spoken_of(peer, [NAME])
    assert told(places, "a") == {"a": {NAME: [1, False]}}
    assert told(places, "b") == {"b": {NAME: [1, False]}}
    places.lose_touch("b")
    assert told(places, "a") == {"a": {NAME: [1, False]}}


def test_what_an_owner_says_is_answered_though_nothing_has_changed() -> None:
    places = places_with(a_pod(0))
    for _ in range(2):
        places.spoken_of("a", [NAME])
        assert told(places, "a") == {"a": {NAME: [0, False]}}


def test_in_pods_that_are_not_known_there_is_nothing() -> None:
    assert Places().spoken_of("a", [NAME]) == {NAME: [0, False]}


def test_all_that_have_claimed_a_pod_hear_of_its_end_once_it_is_empty() -> None:
    pod = a_pod(1)
    places = places_with(pod)
    for peer in ("a", "b"):
        places.spoken_of(peer, [NAME])
    assert places.update({}) == {}
    pod.in_flight = 0
    over = {NAME: [0, False]}
    assert places.update({}) == {"a": over, "b": over}
    assert places.find(NAME) is None
