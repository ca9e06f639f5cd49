"""How far a deployment is, by what is to be seen of it."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.functions.deploying.progress import Phase, Progress, Seen, newest_revision, progress

Object = dict[str, Any]


def thing(observed: int = 1, **conditions: tuple[str, str, str]) -> Object:
    """An object of generation 1 with conditions: status, reason, message."""
    return {
        "metadata": {"generation": 1},
        "status": {
            "observedGeneration": observed,
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": message}
                for kind, (status, reason, message) in conditions.items()
            ],
        },
    }


def pod(**state: Object) -> Object:
    return {"status": {"containerStatuses": [{"state": state}]}}


UNKNOWN = ("Unknown", "", "")
TRUE = ("True", "", "")
FAILED = ("False", "Broken", "it broke")
UNPLACED: Object = {
    "status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "no room"}]}
}


def moving(**shares: int) -> Object:
    """A Service in a gradual rollout, with the shares of its revisions."""
    service = thing(Ready=("Unknown", "RolloutInProgress", ""))
    service["status"]["traffic"] = [
        {"revisionName": name, "percent": share} for name, share in shares.items()
    ]
    return service


def named(name: str) -> Object:
    revision = thing(Ready=TRUE)
    revision["metadata"]["name"] = name
    return revision


@pytest.mark.parametrize(
    ("seen", "is_at"),
    [
        (Seen({"metadata": {"generation": 1}}), Progress(Phase.ASKED)),
        (Seen(thing(0, Ready=TRUE)), Progress(Phase.ASKED)),
        (Seen(thing(Ready=UNKNOWN)), Progress(Phase.ASKED)),
        (Seen(thing(Ready=FAILED)), Progress(Phase.ASKED)),
        (Seen(thing(Ready=UNKNOWN), thing(Ready=UNKNOWN)), Progress(Phase.REVISION)),
        (Seen(thing(Ready=UNKNOWN), thing(Ready=UNKNOWN), [pod()]), Progress(Phase.POD)),
        (
            Seen(thing(Ready=UNKNOWN), thing(Ready=UNKNOWN), [pod(waiting={"reason": "Pull"})]),
            Progress(Phase.POD, trouble="Pull"),
        ),
        (
            Seen(
                thing(Ready=UNKNOWN),
                thing(Ready=UNKNOWN),
                [pod(waiting={"reason": "ContainerCreating"})],
            ),
            Progress(Phase.POD),
        ),
        (
            Seen(thing(Ready=UNKNOWN), thing(Ready=UNKNOWN), [UNPLACED]),
            Progress(Phase.POD, trouble="no room"),
        ),
        (
            Seen(thing(Ready=UNKNOWN), thing(Ready=UNKNOWN), [pod(running={})]),
            Progress(Phase.STARTED),
        ),
        (
            Seen(thing(Ready=UNKNOWN), thing(Ready=FAILED), [pod(running={})]),
            Progress(Phase.STARTED, failure="Broken: it broke"),
        ),
        (Seen(thing(Ready=UNKNOWN), thing(Ready=TRUE)), Progress(Phase.READY)),
        (
            Seen(thing(Ready=FAILED), thing(Ready=TRUE)),
            Progress(Phase.READY, trouble="Broken: it broke"),
        ),
        (Seen(thing(Ready=TRUE), thing(Ready=TRUE)), Progress(Phase.SERVES)),
        (Seen(moving(old=99, new=1), named("new")), Progress(Phase.SERVES)),
        (Seen(moving(old=100, new=0), named("new")), Progress(Phase.READY)),
        (Seen(moving(older=50, old=50), named("new")), Progress(Phase.READY)),
    ],
)
def test_how_far_it_is(seen: Seen, is_at: Progress) -> None:
    assert progress(seen) == is_at
    assert is_at.is_over == (is_at.phase == Phase.SERVES or is_at.failure != "")


def test_the_newest_revision() -> None:
    assert newest_revision({"status": {"latestCreatedRevisionName": "a-2"}}) == "a-2"
    assert newest_revision({}) == ""
