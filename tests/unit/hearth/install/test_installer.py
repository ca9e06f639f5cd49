"""Waiting until everything serves, against a cluster that changes from one look to the next."""

from __future__ import annotations

from typing import Any, cast

import pytest

from hearth.install import installer
from hearth.install.cluster import Cluster
from hearth.install.installer import Installer


class Looks:
    """What each look at the objects finds; the last one stays."""

    def __init__(self, *looks: dict[str, dict[str, Any]]) -> None:
        self.looks = list(looks)
        self.left = len(looks)

    async def find(self, obj: dict[str, Any]) -> dict[str, Any]:
        found = self.looks[-self.left][obj["kind"]]
        if obj["kind"] == "HorizontalPodAutoscaler":  # the last of each look
            self.left = max(1, self.left - 1)
        return found


def a_deployment(wanted: int, ready: int) -> dict[str, Any]:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), ready)
    return {
        "kind": "Deployment",
        "metadata": {"name": "activator", "generation": wanted},
        "spec": {"replicas": wanted},
        "status": {"observedGeneration": wanted, **counts},
    }


def an_autoscaler(asked: int) -> dict[str, Any]:
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "activator"},
        "spec": {"minReplicas": 3},
        "status": {"desiredReplicas": asked},
    }


async def test_pods_that_an_autoscaler_asks_for_later_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(installer, "_POLL_SECONDS", 0)
    looks = Looks(
        {"Deployment": a_deployment(1, 1), "HorizontalPodAutoscaler": an_autoscaler(0)},
        {"Deployment": a_deployment(3, 1), "HorizontalPodAutoscaler": an_autoscaler(3)},
        {"Deployment": a_deployment(3, 3), "HorizontalPodAutoscaler": an_autoscaler(3)},
    )
    objects = list(looks.looks[0].values())
    told: list[str] = []
    waiting = Installer(cast(Cluster, looks), objects, say=told.append, chosen={})
    await waiting.wait(seconds=10)
    assert looks.left == 1
    assert told == [
        "waiting for horizontalpodautoscaler activator: has asked for 1 of at least 3 pods"
    ]


async def test_what_still_lacks_is_told_once_while_something_else_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(installer, "_POLL_SECONDS", 0)
    monkeypatch.setattr(installer, "_TELL_SECONDS", 0)
    looks = Looks(
        {"Deployment": a_deployment(1, 0), "HorizontalPodAutoscaler": an_autoscaler(1)},
        {"Deployment": a_deployment(1, 0), "HorizontalPodAutoscaler": an_autoscaler(2)},
        {"Deployment": a_deployment(1, 0), "HorizontalPodAutoscaler": an_autoscaler(3)},
        {"Deployment": a_deployment(1, 1), "HorizontalPodAutoscaler": an_autoscaler(3)},
    )
    told: list[str] = []
    objects = list(looks.looks[0].values())
    waiting = Installer(cast(Cluster, looks), objects, say=told.append, chosen={})
    await waiting.wait(seconds=10)
    assert told == [
        "waiting for deployment activator: 0 of 1 pods ready",
        "waiting for horizontalpodautoscaler activator: has asked for 1 of at least 3 pods",
        "waiting for horizontalpodautoscaler activator: has asked for 2 of at least 3 pods",
    ]
