from __future__ import annotations

from typing import Any

from hearth.cli.scaletext import scale_text

ASLEEP: dict[str, Any] = {
    "namespace": "a",
    "name": "hello-00001",
    "reachable": False,
    "wish": 0,
    "pods": {"ready": 0, "notReady": 0, "pending": 0, "terminating": 0},
}
AWAKE: dict[str, Any] = {
    "namespace": "a",
    "name": "hello-00002",
    "scaledBy": "kpa.autoscaling.knative.dev",
    "reachable": True,
    "metric": "concurrency",
    "wish": 3,
    "decidedBy": "bounds",
    "applies": True,
    "pods": {"ready": 2, "notReady": 0, "pending": 1, "terminating": 0},
    "sees": {
        "readyPods": 2,
        "stable": 21.5,
        "panic": 30.25,
        "waiting": 4,
        "observedSeconds": 59.4,
        "panicMode": True,
        "excessBurstCapacity": -7,
    },
    "settings": {
        "target": 7.0,
        "total": 10.0,
        "stableWindow": 60.0,
        "panicWindow": 6.0,
        "aggregation": "linear",
    },
    "steps": [
        {"rule": "stable window", "pods": 4, "text": "ceil(21.5 / 7) = 4", "decides": True},
        {"rule": "bounds", "pods": 3, "text": "min 0, max 3", "decides": True},
    ],
    "looksAgain": "in 1.2 s",
}


def test_an_explanation_as_text() -> None:
    assert scale_text([ASLEEP, AWAKE]).splitlines() == [
        "a/hello-00001: no route leads here, no pods",
        "",
        "a/hello-00002: wants 3 pods, by the bounds; pods: 2 ready, 1 pending",
        "  sees 21.5 requests in flight over 60 s, 30.25 over 6 s (panic), observed for 59 s; "
        "4 waiting in activators",
        "  aims at 7 per pod of 10 possible (linear average); spare capacity for bursts: -7",
        "  decides:",
        "  -> stable window         4  ceil(21.5 / 7) = 4",
        "  -> bounds                3  min 0, max 3",
        "  looks again in 1.2 s",
    ]


def test_what_another_class_scales() -> None:
    other = {
        **ASLEEP,
        "reachable": True,
        "wish": -1,
        "decidedBy": "",
        "scaledBy": "hpa.autoscaling.knative.dev",
        "looksAgain": "whoever scales it decides that",
    }
    assert scale_text([other]) == (
        "a/hello-00001: no wish; pods: 0 ready\n"
        "  scaled by hpa.autoscaling.knative.dev; whoever scales it decides that"
    )


SCALED: dict[str, Any] = {
    "namespace": "a",
    "name": "worker",
    "scaledBy": "keda",
    "wish": 3,
    "decidedBy": "activation",
    "replicas": 0,
    "formula": "jobs * 2",
    "steps": [
        {"rule": "jobs", "pods": 2, "text": "ceil(10 / 5) = 2; active", "decides": False},
        {"rule": "activation", "pods": 3, "text": "from 0 to 3", "decides": True},
    ],
    "looksAgain": "in 12.0 s",
}


def test_a_scaledobject_as_text() -> None:
    assert scale_text([SCALED]).splitlines() == [
        "a/worker: wants 3 pods, by the activation; asked for now: 0",
        "  formula: jobs * 2",
        "  decides:",
        "     jobs                  2  ceil(10 / 5) = 2; active",
        "  -> activation            3  from 0 to 3",
        "  looks again in 12.0 s",
    ]


def test_what_changed_is_listed_with_who_woke_it() -> None:
    change = {
        "at": "2026-11-30T14:03:22.125Z",
        "from": 0,
        "to": 2,
        "decidedBy": "panic window",
        "why": "ceil(12 / 7) = 2",
        "cause": "12 waiting in activator-0",
    }
    by_hand = {**change, "from": 2, "to": 5, "decidedBy": "", "why": "", "cause": ""}
    step = {"rule": "bounds", "pods": 2, "text": "min 0", "decides": True}
    told = {
        "namespace": "a",
        "name": "r",
        "wish": 2,
        "decidedBy": "bounds",
        "steps": [step],
        "looksAgain": "soon",
        "replicas": 2,
        "changes": [by_hand, change],
    }
    assert scale_text([told]).splitlines()[-3:] == [
        "  changed (UTC):",
        "     2026-11-30 14:03:22    2 -> 5    not by the autoscaler",
        "     2026-11-30 14:03:22    0 -> 2    panic window: ceil(12 / 7) = 2; "
        "12 waiting in activator-0",
    ]
