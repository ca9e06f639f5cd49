from __future__ import annotations

from typing import Any

import pytest

from hearth.cluster.model.status import ApiStatus
from hearth.cluster.rest import podlogs
from hearth.cluster.rest.podlogs import LogOptions, Selector

LINES = [
    b"2026-01-01T00:00:01.123456789Z stdout F one",
    b"2026-01-01T00:00:02.000000000Z stderr P two ",
    b"2026-01-01T00:00:02.000000001Z stderr F and a half",
    b"2026-01-01T00:00:03.000000000Z stdout F ",
    b"nonsense",
]


def shown(options: LogOptions, lines: list[bytes] | None = None) -> bytes:
    return b"".join(Selector(options).shown(LINES if lines is None else lines))


def test_partial_lines_are_joined() -> None:
    assert shown(LogOptions()) == b"one\ntwo and a half\n\n"


def test_timestamps_stand_before_whole_lines() -> None:
    found = shown(LogOptions(timestamps=True)).splitlines()
    assert found[1] == b"2026-01-01T00:00:02.000000000Z two and a half"


def test_since_in_other_zones() -> None:
    lines = [
        b"2026-01-01T03:00:01.5+03:00 stdout F early",
        b"2025-12-31T19:00:02.123456789-05:00 stdout F late",
    ]
    selector = Selector(LogOptions(since=1767225602.0))  # 2026-01-01T00:00:02Z
    assert b"".join(selector.shown(lines)) == b"late\n"


def test_since_leaves_older_lines_out() -> None:
    since = 1767225602.0  # 2026-01-01T00:00:02Z
    assert shown(LogOptions(since=since)) == b"two and a half\n\n"


def test_the_byte_limit_cuts() -> None:
    assert shown(LogOptions(limit_bytes=6)) == b"one\ntw"


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, b""), (1, b"\n"), (2, b"two and a half\n\n"), (9, shown(LogOptions()))],
)
def test_the_last_lines_are_whole(count: int, expected: bytes) -> None:
    assert shown(LogOptions(), podlogs.last_lines(LINES[:-1], count)) == expected


def a_pod(*containers: str, init: tuple[str, ...] = ()) -> dict[str, Any]:
    spec = {"containers": [{"name": name} for name in containers]}
    if init:
        spec["initContainers"] = [{"name": name} for name in init]
    return {"metadata": {"name": "p"}, "spec": spec}


def test_the_only_container_need_not_be_named() -> None:
    assert podlogs.container_of(a_pod("c"), "") == "c"


@pytest.mark.parametrize(
    ("pod", "asked", "complaint"),
    [
        (a_pod("c"), "x", "container x is not valid for pod p"),
        (
            a_pod("a", "b", init=("i",)),
            "",
            "a container name must be specified for pod p, choose one of: [a b] or one of the init "
            "containers: [i]",
        ),
    ],
)
def test_an_unclear_container_is_refused(pod: dict[str, Any], asked: str, complaint: str) -> None:
    with pytest.raises(ApiStatus) as refusal:
        podlogs.container_of(pod, asked)
    assert refusal.value.message == complaint


def test_runs_are_numbers_in_order() -> None:
    assert podlogs.runs(["10.log", "2.log", "x.log", "3.txt"]) == [2, 10]


def test_options_are_read_and_checked() -> None:
    found = podlogs.log_options({"follow": "1", "sinceSeconds": "10", "tailLines": "0"}, "p", 100.0)
    assert (found.follow, found.since, found.tail_lines) == (True, 90.0, 0)
    with pytest.raises(ApiStatus, match="must be greater than or equal to 0"):
        podlogs.log_options({"tailLines": "-1"}, "p", 0.0)


@pytest.mark.parametrize(
    ("entry", "run"),
    [
        pytest.param({}, None, id="not heard of"),
        pytest.param({"state": {"waiting": {"reason": "ErrImagePull"}}}, None, id="never begun"),
        pytest.param({"restartCount": 2, "state": {"running": {"startedAt": "x"}}}, 2, id="runs"),
        pytest.param({"restartCount": 1, "state": {"terminated": {"exitCode": 0}}}, 1, id="ended"),
        pytest.param(
            {
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1}},
            },
            3,
            id="waits to run again",
        ),
    ],
)
def test_a_run_without_output_is_a_run(entry: dict[str, object], run: int | None) -> None:
    pod = {"status": {"containerStatuses": [{"name": "c", **entry}]}}
    assert podlogs.begun_run(pod, "c") == run
