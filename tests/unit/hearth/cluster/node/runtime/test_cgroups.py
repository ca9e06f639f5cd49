"""What the files of control groups say, of both versions."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.runtime.cgroups.files import (
    Counters,
    Folders,
    Limits,
    limit_files,
    parse_counters,
    parse_groups,
    parse_mounts,
)

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
TOP = Path("/sys/fs/cgroup")


def test_a_machine_of_version_2_has_one_folder() -> None:
    groups = parse_groups("0::/user.slice/a.scope\n", parse_mounts(V2))
    assert groups == Folders({}, TOP / "user.slice/a.scope")
    assert groups.of("memory") == groups.of("pids") == TOP / "user.slice/a.scope"
    assert groups.child("x", "y").all == [TOP / "user.slice/a.scope/x/y"]


def test_a_hybrid_machine_has_a_folder_for_each_controller() -> None:
    text = "9:name=systemd:/\n4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/d\n"
    groups = parse_groups(text, parse_mounts(HYBRID))
    assert groups.of("memory") == TOP / "memory/a/b"
    assert groups.of("cpuacct") == groups.of("cpu") == TOP / "cpu,cpuacct/c"
    assert groups.of("pids") == TOP / "unified/d"
    assert len(groups.all) == 3


def test_a_tree_may_show_a_part_of_itself_at_an_odd_place() -> None:
    mounts = parse_mounts("30 23 0:26 /docker/abc /my\\040groups ro - cgroup2 cgroup2 rw\n")
    assert parse_groups("0::/docker/abc/x\n", mounts).v2 == Path("/my groups/x")
    assert parse_groups("0::/docker/abc\n", mounts).v2 == Path("/my groups")
    assert parse_groups("0::/other\n", mounts).v2 == Path("/my groups/other")


def test_without_trees_there_is_no_folder() -> None:
    groups = parse_groups("4:memory:/a\n0::/d\nnonsense\n", parse_mounts("nonsense\n1 2 3\n"))
    assert groups.all == [] and groups.of("memory") is None


def test_counters_of_version_2() -> None:
    texts = {
        "cpuacct": "usage_usec 2500000\nuser_usec 1\n",
        "memory": "5000\n",
        "memory.stat": "anon 1\ninactive_file 1000\n",
        "pids": "7\n",
        "oom": "low 0\noom 3\noom_kill 2\n",
    }
    assert parse_counters(texts) == Counters(2.5, 4000, 7, 2)


def test_counters_of_version_1() -> None:
    texts = {
        "cpuacct": "2500000000\n",
        "memory": "5000\n",
        "memory.stat": "inactive_file 1\ntotal_inactive_file 1000\n",
        "pids": "7\n",
        "oom": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    }
    assert parse_counters(texts) == Counters(2.5, 4000, 7, 1)


def test_more_idle_files_than_use_is_no_use() -> None:
    assert parse_counters({"memory": "5", "memory.stat": "inactive_file 9"}).memory_bytes == 0


@given(
    st.dictionaries(st.sampled_from(["cpuacct", "memory", "memory.stat", "pids", "oom"]), st.text())
)
def test_odd_texts_are_counted_as_nothing_or_as_what_they_say(texts: dict[str, str]) -> None:
    counters = parse_counters(texts)
    assert counters.memory_bytes >= 0 and counters.cpu_seconds >= 0


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (
            Folders({}, Path("/g")),
            {
                "cpu.max": "50000 100000",
                "cpu.weight": "39",
                "memory.max": "4096",
                "memory.swap.max": "0",
                "memory.oom.group": "1",
                "pids.max": "20",
            },
        ),
        (
            Folders({"cpu": Path("/g"), "memory": Path("/g"), "pids": Path("/g")}),
            {
                "cpu.cfs_period_us": "100000",
                "cpu.cfs_quota_us": "50000",
                "cpu.shares": "1024",
                "memory.limit_in_bytes": "4096",
                "memory.memsw.limit_in_bytes": "4096",
                "pids.max": "20",
            },
        ),
    ],
)
def test_limits_are_written_as_each_version_wants_them(
    folders: Folders, expected: dict[str, str]
) -> None:
    written = limit_files(Limits(500, 1024, 4096, 20), folders)
    assert {file.name: text for file, text, _ in written} == expected
    assert [file.name for file, _, optional in written if optional] == [
        name for name in expected if "swap" in name or "oom" in name or "memsw" in name
    ]


def test_no_limit_writes_nothing_and_a_tiny_one_what_the_kernel_takes() -> None:
    assert limit_files(Limits(), Folders({}, Path("/g"))) == []
    assert limit_files(Limits(cpu_millis=1), Folders({}, Path("/g")))[0][1] == "1000 100000"
