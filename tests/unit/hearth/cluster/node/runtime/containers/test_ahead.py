from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearth.cluster.node.pod.spec import parse_pod
from hearth.cluster.node.runtime.containers.ahead import (
    MOST,
    Owner,
    Spare,
    Waiting,
    can_be_ahead,
    is_the_same,
    next_name,
    owner_of,
    room,
    sleepers,
)

Object = dict[str, Any]
APod = Callable[..., Object]
GIB = 1 << 30


def owner(number: int, namespace: str = "ns") -> Owner:
    return Owner(namespace, f"web-{number}", str(number))


def spare(number: int, containers: int = 1, name: str = "") -> Spare[None]:
    return Spare(owner(number), name or f"web-{number}-x", containers, None)


def test_whose_pods(a_pod: APod) -> None:
    pod = a_pod({})
    assert owner_of(pod) is None
    reference = {"apiVersion": "apps/v1", "name": "r", "uid": "u", "controller": True}
    pod["metadata"]["ownerReferences"] = [{**reference, "kind": "Job"}]
    assert owner_of(pod) is None
    pod["metadata"]["ownerReferences"] = [{**reference, "kind": "ReplicaSet"}]
    assert owner_of(pod) == Owner("default", "r", "u")
    assert next_name(owner(1), b"\0\1\2\3\4") == "web-1-bcdfg"


def test_who_sleeps() -> None:
    def replica_set(number: int, replicas: int, kind: str = "Deployment") -> Object:
        metadata: Object = {"name": f"web-{number}", "namespace": "ns", "uid": str(number)}
        above = {"kind": kind, "name": "web", "uid": "d", "controller": True}
        at = f"2026-01-01T00:00:{number:02}Z"
        metadata |= {"creationTimestamp": at, "ownerReferences": [above]}
        return {"metadata": metadata, "spec": {"replicas": replicas}}

    known = [replica_set(number, 0) for number in range(MOST + 3)]
    awake, alone = replica_set(40, 1), replica_set(41, 0, "Other")
    assert sleepers([*known, awake, alone]) == [owner(number) for number in range(3, MOST + 3)]


def mount(name: str = "v", **more: Any) -> Object:
    return {"volumeMounts": [{"name": name, "mountPath": "/v", **more}]}


EMPTY: Object = {"emptyDir": {}}
CLAIM: Object = {"persistentVolumeClaim": {"claimName": "c"}}
SETTINGS: Object = {"configMap": {"name": "s"}}
INIT = [{"name": "i", "image": "i"}]


@pytest.mark.parametrize(
    ("container", "volume", "spec", "can"),
    [
        pytest.param({}, EMPTY, {}, True, id="plain"),
        pytest.param(mount(), EMPTY, {"initContainers": INIT}, True, id="init containers"),
        pytest.param(mount(subPath="a"), EMPTY, {}, True, id="a part of a volume"),
        pytest.param(
            mount(subPath="a"), EMPTY, {"initContainers": INIT}, False, id="a part yet to be filled"
        ),
        pytest.param(
            mount(subPathExpr="$(A)"), CLAIM, {"initContainers": INIT}, False, id="and so of claims"
        ),
        pytest.param(
            mount(subPath="a"), SETTINGS, {"initContainers": INIT}, True, id="but not of files"
        ),
        pytest.param({"stdin": True}, EMPTY, {}, False, id="an input"),
        pytest.param({"tty": True}, EMPTY, {}, False, id="a terminal"),
        pytest.param({}, CLAIM, {}, True, id="a claim"),
        pytest.param({}, CLAIM, {"securityContext": {"fsGroup": 0}}, False, id="for a group"),
        pytest.param({}, EMPTY, {"securityContext": {"fsGroup": 1}}, True, id="a group"),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}]},
            EMPTY,
            {},
            False,
            id="its uid",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
            EMPTY,
            {},
            True,
            id="its name",
        ),
    ],
)
def test_which_containers(
    a_pod: APod, container: Object, volume: Object, spec: Object, can: bool
) -> None:
    pod = a_pod(container, volumes=[{"name": "v", **volume}], **spec)
    assert can_be_ahead(pod, parse_pod(pod).containers[-1]) is can


def test_the_pod_that_was_foreseen(a_pod: APod) -> None:
    made, come = a_pod({}), a_pod({}, nodeName="node")
    come["metadata"]["uid"] = "another"
    assert is_the_same(made, come)
    assert not is_the_same(made, a_pod({"image": "other"}))
    come["metadata"]["labels"] = {"a": "b"}
    assert not is_the_same(made, come)


def test_room_goes_with_memory() -> None:
    assert room(64 * GIB) == MOST
    assert [room(each) for each in (GIB, GIB // 8, 0)] == [16, 2, 0]


def test_the_oldest_gives_way() -> None:
    waiting: Waiting[None] = Waiting()
    one, two, three, many = spare(1), spare(2), spare(3, 2), spare(4, 9)
    assert waiting.put(one, 3) == waiting.put(two, 3) == []
    assert waiting.put(three, 3) == [one]
    assert waiting.put(many, 3) == [two, three, many]
    again = spare(1, name="web-1-y")
    assert waiting.put(one, 3) == [] and waiting.put(again, 3) == [one]
    assert waiting.claim("other", "web-1-y") is waiting.claim("ns", "web-1-x") is None
    waiting.want(owner(2))
    assert waiting.put(two, 3) == [] and waiting.next() is None
    assert waiting.claim("ns", "web-1-y") is again and waiting.all() == [two]


def test_what_could_not_be_made_is_tried_again() -> None:
    waiting: Waiting[None] = Waiting()
    waiting.want(owner(1))
    waiting.want(owner(1))
    assert waiting.next() == (owner(1), 0) and waiting.next() is None
    waiting.missed(owner(1))
    waiting.try_again("other")
    assert waiting.next() is None
    waiting.try_again("ns")
    assert waiting.next() == (owner(1), 0)
    waiting.missed(owner(1))
    waiting.try_again()
    assert waiting.next() == (owner(1), 0)
    for times, is_idle in ((0, False), (1, False), (2, True)):
        waiting.missed(owner(1), times)
        assert waiting.is_idle is is_idle
        waiting.try_anyway()
        assert waiting.next() == (None if is_idle else (owner(1), times + 1))
    for number in range(1000):
        waiting.want(owner(number))
        waiting.missed(owner(number + 1000))
    waiting.try_again()
    assert sum(waiting.next() is not None for _ in range(5000)) == 256


@settings(max_examples=20, deadline=None)
@given(st.integers(min_value=0))
def test_nothing_is_lost_in_a_thousand_operations(seed: int) -> None:
    """All that was made is waiting, a pod's, or was handed back to be removed; and once only."""
    random = Random(seed)
    waiting: Waiting[int] = Waiting()
    made: dict[int, Spare[int]] = {}
    out: list[int] = []
    for number in range(1000):
        most = random.choice((0, 3, MOST, MOST))
        match random.randrange(7):
            case 0 | 1:
                waiting.want(owner(random.randrange(60)))
            case 2 | 3:
                if (turn := waiting.next()) is not None:
                    assert turn[0] not in waiting
                    one = Spare(turn[0], f"{turn[0].name}-{number}", random.randrange(1, 5), number)
                    made[number] = one
                    out += [gone.it for gone in waiting.put(one, most)]
                    assert sum(each.containers for each in waiting.all()) <= most
            case 4:
                if made:
                    one = random.choice(list(made.values()))
                    claimed = waiting.claim("ns", one.name)
                    assert claimed in (None, one)
                    out += [] if claimed is None else [claimed.it]
            case 5:
                if made:
                    one = random.choice(list(made.values()))
                    out += [one.it] if waiting.remove(one) else []
            case _:
                waiting.missed(owner(random.randrange(60)))
                out += [gone.it for gone in waiting.excess(most)]
    inside = [each.it for each in waiting.all()]
    assert sorted(out + inside) == sorted(made)
