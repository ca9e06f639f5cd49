from __future__ import annotations

from hearth.cluster.node.registration.nodeobject import (
    Machine,
    go_architecture,
    make_lease,
    make_status,
)

MACHINE = Machine(2, 4 * 1024**3, 10 * 1024**3, "amd64", "6.1", "Debian")


def test_status_reports_the_machine() -> None:
    status = make_status("n", MACHINE, {}, now=0.0)
    assert status["capacity"] == {
        "cpu": "2",
        "memory": "4194304Ki",
        "ephemeral-storage": "10485760Ki",
        "pods": "1000",
    }
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "MemoryPressure": "False",
        "DiskPressure": "False",
        "PIDPressure": "False",
        "Ready": "True",
    }


def test_transition_times_are_kept() -> None:
    first = make_status("n", MACHINE, {}, now=0.0)
    second = make_status("n", MACHINE, first, now=100.0)
    assert second["conditions"][3]["lastTransitionTime"] == "1970-01-01T00:00:00Z"
    assert second["conditions"][3]["lastHeartbeatTime"] == "1970-01-01T00:01:40Z"


def test_the_lease_is_kubelets() -> None:
    spec = make_lease("n", now=1.5)["spec"]
    assert spec == {
        "holderIdentity": "n",
        "leaseDurationSeconds": 40,
        "renewTime": "1970-01-01T00:00:01.500000Z",
    }


def test_architectures() -> None:
    assert [go_architecture(m) for m in ("x86_64", "aarch64", "riscv64")] == [
        "amd64",
        "arm64",
        "riscv64",
    ]
