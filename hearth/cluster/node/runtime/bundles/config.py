"""What runc or crun is told of a container (OCI runtime specification 1.0). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hearth.cluster.node.runtime.containers.accounts import Identity
from hearth.cluster.node.runtime.containers.limits import CPU_PERIOD, Limits
from hearth.cluster.node.runtime.containers.plan import ContainerPlan
from hearth.cluster.node.runtime.containers.waiter import PATH
from hearth.cluster.node.volumes.mounts import Mount

_DEFAULT_CAPABILITIES = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
    *("NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
"""What containerd and docker give."""
ALL_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"),
    *("SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW"),
    *("IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT"),
    *("SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD"),
    *("LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG"),
    *("WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"),
)
"""In the order of their numbers, from 0."""
_MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
    *("/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"),
    *("/sys/firmware", "/sys/devices/virtual/powercap"),
)
_READ_ONLY = (*("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"),)
_SAFE = ["nosuid", "noexec", "nodev"]


def make_config(
    plan: ContainerPlan,
    identity: Identity,
    *,
    network: Path,
    cgroup: str,
    able: frozenset[str],
    has_swap_limit: bool,
) -> dict[str, Any]:
    """The ``config.json`` beside a folder ``rootfs``.

    ``network`` is the namespace's file; ``able`` are the capabilities that this machine can give.
    """
    security = plan.security
    namespaces: list[dict[str, str]] = [{"type": each} for each in ("pid", "ipc", "uts", "mount")]
    return {
        "ociVersion": "1.0.2",
        "process": _process(plan, identity, able),
        "root": {"path": "rootfs", "readonly": security.read_only_root},
        "hostname": plan.hostname,
        "mounts": [*_system_mounts(privileged=security.privileged), *_binds(plan.mounts)],
        "linux": {
            "namespaces": [*namespaces, {"type": "network", "path": str(network)}],
            "cgroupsPath": cgroup,
            "resources": _resources(plan, has_swap_limit=has_swap_limit),
            "maskedPaths": [] if security.privileged else list(_MASKED),
            "readonlyPaths": [] if security.privileged else list(_READ_ONLY),
        },
    }


def capabilities_of(mask: int) -> frozenset[str]:
    """Capabilities of a set as ``/proc/PID/status`` has it."""
    return frozenset(name for bit, name in enumerate(ALL_CAPABILITIES) if mask >> bit & 1)


def _process(plan: ContainerPlan, identity: Identity, able: frozenset[str]) -> dict[str, Any]:
    capabilities = [f"CAP_{name}" for name in _capabilities(plan) if name in able]
    terminal = {"TERM": "xterm"} if plan.tty else {}
    env = {"PATH": PATH, "HOME": identity.home, **terminal, **plan.env}
    groups = dict.fromkeys((*identity.groups, *plan.security.groups))
    return {
        "terminal": plan.tty,
        "user": {
            "uid": identity.uid,
            "gid": identity.gid,
            "additionalGids": list(groups),
            "umask": 0o022,
        },
        "args": list(plan.args),
        "env": [f"{name}={value}" for name, value in env.items()],
        "cwd": plan.cwd,
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        "noNewPrivileges": plan.security.no_new_privileges,
    }


def _capabilities(plan: ContainerPlan) -> list[str]:
    security = plan.security
    added, dropped = set(security.add_capabilities), set(security.drop_capabilities)
    given = set(_DEFAULT_CAPABILITIES)
    if security.privileged or "ALL" in added:
        given = set(ALL_CAPABILITIES)
    if "ALL" in dropped:
        given = set()
    return sorted(
        ((given | added) - dropped) - {"ALL"} if "ALL" not in dropped else added - {"ALL"}
    )


def _system_mounts(*, privileged: bool) -> Iterable[dict[str, Any]]:
    read = [] if privileged else ["ro"]
    for kind, target, options in (
        ("proc", "/proc", _SAFE),
        ("tmpfs", "/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("devpts", "/dev/pts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
        ("tmpfs", "/dev/shm", [*_SAFE, "mode=1777", "size=65536k"]),
        ("mqueue", "/dev/mqueue", _SAFE),
        ("sysfs", "/sys", [*_SAFE, *read]),
        ("cgroup", "/sys/fs/cgroup", [*_SAFE, "relatime", *read]),
    ):
        yield {"destination": target, "type": kind, "source": kind, "options": options}


def _binds(mounts: Iterable[Mount]) -> Iterable[dict[str, Any]]:
    for mount in mounts:
        access = "ro" if mount.read_only else "rw"
        yield {
            "destination": mount.target,
            "type": "bind",
            "source": str(mount.source),
            "options": ["rbind", "rprivate", access],
        }


def _resources(plan: ContainerPlan, *, has_swap_limit: bool) -> dict[str, Any]:
    limits: Limits = plan.limits
    found: dict[str, Any] = {
        "devices": [{"allow": plan.security.privileged, "access": "rwm"}],
        "cpu": {"shares": limits.cpu_shares},
        "pids": {"limit": limits.pids},
    }
    if limits.cpu_quota:
        found["cpu"] |= {"quota": limits.cpu_quota, "period": CPU_PERIOD}
    if limits.memory:
        swap = {"swap": limits.memory} if has_swap_limit else {}
        found["memory"] = {"limit": limits.memory, **swap}
    return found
