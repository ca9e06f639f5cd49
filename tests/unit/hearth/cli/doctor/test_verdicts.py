"""What each finding is worth."""

from __future__ import annotations

import pytest

from hearth.cli.doctor import verdicts
from hearth.cli.doctor.check import Check

GIB = 2**30


@pytest.mark.parametrize(
    ("check", "state", "words"),
    [
        (verdicts.open_files(256, 4096), "fail", "ulimit -n 65536"),
        (verdicts.open_files(1024, 4096), "warn", "500 requests"),
        (verdicts.open_files(65536, 65536), "ok", ""),
        (verdicts.processes(None, 10), "ok", ""),
        (verdicts.processes(2000, 1500), "warn", "pids.max"),
        (verdicts.processes(32768, 1500), "ok", ""),
        (verdicts.inotify(16, 65536), "warn", "max_user_instances"),
        (verdicts.inotify(128, 65536), "ok", ""),
        (verdicts.disk(100 * 2**20, 9, 9, "/d"), "fail", "--data-dir"),
        (verdicts.disk(9 * GIB, 1, 1000, "/d"), "warn", "small files"),
        (verdicts.disk(GIB, 900, 1000, "/d"), "warn", "hearth image prune"),
        (verdicts.disk(9 * GIB, 0, 0, "/d"), "ok", ""),
        (verdicts.memory(100 * 2**20), "warn", "killed"),
        (verdicts.memory(4 * GIB), "ok", ""),
        (verdicts.clock(0, 0), "fail", "set-ntp"),
        (verdicts.clock(1_800_000_100, 1_800_000_000), "warn", "went back"),
        (verdicts.clock(1_800_000_000, 1_800_000_000), "ok", ""),
        (verdicts.control_groups(False, True, ()), "ok", ""),
        (verdicts.control_groups(False, False, ()), "warn", "version 2"),
        (verdicts.control_groups(True, False, ["cpu"]), "warn", "delegate"),
        (verdicts.control_groups(True, False, ["cpu", "memory", "pids", "io"]), "ok", ""),
        (verdicts.namespaces(0, None, None, True), "ok", ""),
        (verdicts.namespaces(0, None, None, False), "warn", "--isolate"),
        (verdicts.namespaces(9, 0, None, False), "warn", "unprivileged_userns_clone"),
        (verdicts.namespaces(9, 1, 1, False), "warn", "apparmor"),
        (verdicts.namespaces(9, 1, 0, False), "ok", ""),
        (verdicts.overlay("nodev\toverlay\n", False), "ok", ""),
        (verdicts.overlay("nodev\ttmpfs\n", True), "ok", ""),
        (verdicts.overlay("", False), "warn", "modprobe overlay"),
        (verdicts.kubectl(None, "v1.36.2"), "warn", "install kubectl"),
        (verdicts.kubectl("v1.32.4", "v1.36.2"), "warn", "1.35 to 1.37"),
        (verdicts.kubectl("v1.35.0+k3s", "v1.36.2"), "ok", ""),
        (verdicts.localhost([]), "warn", "libnss-myhostname"),
        (verdicts.localhost(["10.0.0.1"]), "warn", "libnss-myhostname"),
        (verdicts.localhost(["127.0.0.1", "::1"]), "ok", ""),
        (verdicts.proxies({}), "ok", ""),
        (verdicts.proxies({"HTTP_PROXY": "http://p", "NO_PROXY": ".localhost"}), "ok", ""),
        (verdicts.proxies({"http_proxy": "http://p"}), "warn", "no_proxy=localhost"),
    ],
    ids=lambda value: value.name if isinstance(value, Check) else "",
)
def test_a_finding_says_what_to_do_unless_all_is_well(check: Check, state: str, words: str) -> None:
    assert check.state == state
    assert words in check.advice
    assert bool(check.advice) == (state != "ok")


def states(path: str = "/d", **given: object) -> list[tuple[str, str]]:
    known = {"mode": 0o700, "owner": 1, "user": 1, "is_writable": True} | given
    return [(each.name, each.state) for each in verdicts.folder(path=path, **known)]  # type: ignore[arg-type]


def test_the_state_folder_is_its_owners_alone() -> None:
    assert states() == [("state folder", "ok")]
    assert states(mode=0o755) == [("state folder", "warn")]
    assert states(owner=2) == [("state folder", "warn")]
    assert states(is_writable=False) == [("state folder", "fail")]
    assert states("/" + 100 * "d") == [("state folder", "ok"), ("socket", "warn")]
