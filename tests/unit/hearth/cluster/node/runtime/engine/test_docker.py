from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hearth.cluster.node.runtime.containers.limits import Limits
from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.containers.security import Security
from hearth.cluster.node.runtime.engine.docker import make_body
from hearth.cluster.node.runtime.engine.logfetch import last_moment
from hearth.cluster.node.runtime.engine.seam import Making
from hearth.cluster.node.volumes.mounts import Mount

PLAN = ContainerPlan(
    args=("/serve", "x"),
    env={"A": "b=c"},
    cwd="/w",
    hostname="web",
    security=Security("7:8", (9,), ("NET_RAW",), ("ALL",), no_new_privileges=True),
    limits=Limits(cpu_quota=5000, cpu_shares=7, memory=1024, pids=9),
    mounts=(Mount(Path("/s"), "/t", read_only=True),),
    stdin=True,
    stdin_once=True,
)
MAKING = Making("n", "sha256:1", PLAN, {"l": "v"}, Path("/log"), network="net", ip="10.1.0.2")


def test_what_docker_is_asked_for() -> None:
    body = make_body(MAKING, {"nofile": 5})
    assert (body["Entrypoint"], body["Cmd"], body["Env"]) == (["/serve"], ["x"], ["A=b=c"])
    assert (body["User"], body["Hostname"], body["StdinOnce"]) == ("7:8", "web", True)
    host = body["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (1024, 1024, 9)
    assert (host["CpuQuota"], host["CpuPeriod"], host["CpuShares"]) == (5000, 100_000, 7)
    assert (host["GroupAdd"], host["CapAdd"], host["CapDrop"]) == (["9"], ["NET_RAW"], ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 5, "Hard": 5}]
    assert host["Mounts"] == [{"Type": "bind", "Source": "/s", "Target": "/t", "ReadOnly": True}]


def test_networks() -> None:
    body = make_body(MAKING, {})
    assert body["HostConfig"]["NetworkMode"] == "net"
    endpoint = body["NetworkingConfig"]["EndpointsConfig"]["net"]
    assert endpoint == {"IPAMConfig": {"IPv4Address": "10.1.0.2"}}
    body = make_body(replace(MAKING, joins="first"), {})
    assert body["HostConfig"]["NetworkMode"] == "container:first"
    assert "Hostname" not in body and "NetworkingConfig" not in body
    body = make_body(replace(MAKING, network="", ports={80: 20001}), {})
    assert body["ExposedPorts"] == {"80/tcp": {}}
    binding = {"HostIp": "127.0.0.1", "HostPort": "20001"}
    assert body["HostConfig"]["PortBindings"] == {"80/tcp": [binding]}


def test_where_a_log_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    assert last_moment(log) == b""
    log.write_bytes(b"2026-01-01T00:00:00.000000001Z stdout F one\n")
    assert last_moment(log) == b"2026-01-01T00:00:00.000000001Z"
