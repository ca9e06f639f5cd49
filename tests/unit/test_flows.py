"""Connections of a node, as the kinds of flows that NetworkPolicies are held against."""

from __future__ import annotations

from pathlib import Path

from tests.bench.cluster.flows import APP, OUTSIDE, POD, Flow, Seen, flows, read, seen, write

BY_CLUSTER_IP = (
    "    [NEW] tcp      6 120 SYN_SENT src=10.1.0.5 dst=10.2.0.9 sport=4711 dport=80 [UNREPLIED] "
    "src=10.1.0.7 dst=10.1.0.5 sport=8080 dport=4711"
)


def pod(app: str) -> dict[str, object]:
    return {"metadata": {"labels": {APP: app}}}


def test_a_line_tells_the_pod_behind_a_cluster_ip() -> None:
    assert seen(BY_CLUSTER_IP) == Seen("10.1.0.5", "10.1.0.7", 8080)


def test_other_lines_are_passed_over() -> None:
    assert seen("") is None
    assert seen(BY_CLUSTER_IP.replace("tcp", "udp")) is None
    assert seen(BY_CLUSTER_IP.partition("[UNREPLIED]")[0]) is None


def test_flows_are_told_by_who_opens_them() -> None:
    pods = {"1": pod("hearth-activator"), "2": pod("hearth-control"), "3": pod("shop")}
    opened = [("1", "2"), ("1", "2"), ("3", "2"), ("node", "2"), ("2", "3"), ("2", "gone")]
    assert flows((Seen(a, b, 8088) for a, b in opened), pods) == {
        Flow("hearth-activator", "hearth-control", 8088),
        Flow(POD, "hearth-control", 8088),
        Flow(OUTSIDE, "hearth-control", 8088),
    }


def test_a_file_keeps_its_head_and_is_read_again(tmp_path: Path) -> None:
    path, found = tmp_path / "flows.txt", {Flow(POD, "b", 2), Flow(OUTSIDE, "a", 10)}
    assert read(path) == set()
    path.write_text("# recorded\n")
    write(path, found)
    assert path.read_text() == "# recorded\noutside a 10\npod b 2\n"
    assert read(path) == found
