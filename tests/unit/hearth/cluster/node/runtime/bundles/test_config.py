from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.runtime.bundles.config import (
    ALL_CAPABILITIES,
    capabilities_of,
    make_config,
)
from hearth.cluster.node.runtime.containers.accounts import Identity
from hearth.cluster.node.runtime.containers.limits import Limits
from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.containers.security import Security
from hearth.cluster.node.runtime.containers.waiter import PATH
from hearth.cluster.node.volumes.mounts import Mount

ALL = frozenset(ALL_CAPABILITIES)


def config(*, able: frozenset[str] = ALL, swap: bool = True, **fields: Any) -> Any:
    said: dict[str, Any] = {"args": ("/app",), "env": {"A": "b=c"}, "cwd": "/", "hostname": "pod"}
    said |= {"security": Security(), "limits": Limits()}
    plan = ContainerPlan(**{**said, **fields})
    made = make_config(
        plan,
        Identity(1, 2, (3,), "/home"),
        network=Path("/net"),
        cgroup="/hearth/x",
        able=able,
        has_swap_limit=swap,
    )
    return json.loads(json.dumps(made))


def test_the_process() -> None:
    process = config(security=Security(groups=(3, 4), no_new_privileges=True))["process"]
    assert process["user"] == {"uid": 1, "gid": 2, "additionalGids": [3, 4], "umask": 0o022}
    assert process["env"] == [f"PATH={PATH}", "HOME=/home", "A=b=c"]
    assert process["noNewPrivileges"] and not process["terminal"]
    assert "TERM=xterm" in config(tty=True)["process"]["env"]


@pytest.mark.parametrize(
    ("security", "given"),
    [
        (Security(drop_capabilities=("ALL",)), []),
        (Security(drop_capabilities=("ALL",), add_capabilities=("KILL",)), ["CAP_KILL"]),
        (Security(add_capabilities=("ALL",)), sorted(f"CAP_{name}" for name in ALL)),
        (Security(privileged=True), sorted(f"CAP_{name}" for name in ALL)),
    ],
)
def test_capabilities(security: Security, given: list[str]) -> None:
    capabilities = config(security=security)["process"]["capabilities"]
    assert capabilities["bounding"] == capabilities["effective"] == given
    assert "ambient" not in capabilities


def test_what_this_machine_does_not_have_is_not_given() -> None:
    security = Security(add_capabilities=("SYS_RESOURCE", "SYS_TIME"))
    able = capabilities_of(0x1FFFEFFFFFF)
    given = config(security=security, able=able)["process"]["capabilities"]["bounding"]
    assert "CAP_SYS_TIME" in given and "CAP_SYS_RESOURCE" not in given
    assert "CAP_NET_RAW" in given and "CAP_SYS_ADMIN" not in given


def test_limits() -> None:
    limits = Limits(cpu_quota=25_000, cpu_shares=256, memory=1 << 20, pids=9)
    found = config(limits=limits)["linux"]["resources"]
    assert found["cpu"] == {"shares": 256, "quota": 25_000, "period": 100_000}
    assert found["memory"] == {"limit": 1 << 20, "swap": 1 << 20} and found["pids"] == {"limit": 9}
    assert config(limits=limits, swap=False)["linux"]["resources"]["memory"] == {"limit": 1 << 20}
    assert "memory" not in config()["linux"]["resources"]


def test_mounts_and_what_is_hidden() -> None:
    mount = Mount(Path("/data"), "/inside", read_only=True)
    made = config(mounts=(mount,), security=Security(read_only_root=True))
    assert made["mounts"][-1]["options"] == ["rbind", "rprivate", "ro"]
    assert made["root"] == {"path": "rootfs", "readonly": True}
    assert "/proc/kcore" in made["linux"]["maskedPaths"]
    assert "/proc/sys" in made["linux"]["readonlyPaths"]
    open_ = config(security=Security(privileged=True))
    assert open_["linux"]["maskedPaths"] == open_["linux"]["readonlyPaths"] == []
    sys = next(each for each in made["mounts"] if each["destination"] == "/sys")
    assert "ro" in sys["options"]


def test_the_network_is_the_pods() -> None:
    assert {"type": "network", "path": "/net"} in config()["linux"]["namespaces"]
