"""What numbers and files of a machine mean for Hearth. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hearth.cli.doctor.check import Check, fail, ok, warn

MIB, GIB = 2**20, 2**30
_FEW_FILES, _FILES = 1024, 4096
_FEW_PROCESSES = 1024
_FEW_WATCHES = 128
_FUTURE_SECONDS = 5.0
_SKEW = 1
"""kubectl may be one minor version older or newer than the API server."""


def open_files(soft: int, hard: int) -> Check:
    """Every connection of a client and every one to a pod is an open file."""
    name, found = "open files", f"at most {soft} for each process (could be {hard})"
    if soft < _FEW_FILES:
        return fail(name, found, "ulimit -n 65536, or LimitNOFILE=65536 in the unit of systemd")
    if soft < _FILES:
        text = "some 500 requests at once are what this is enough for: ulimit -n 65536"
        return warn(name, found, text)
    return ok(name, found)


def processes(most: int | None, running: int) -> Check:
    """Threads count, too; ``most`` None: no limit is known."""
    name = "processes"
    if most is None:
        return ok(name, f"{running} run, no limit")
    found = f"{running} run of at most {most}"
    if most - running < _FEW_PROCESSES:
        text = "pods may fail to start: raise ulimit -u, or pids.max of the control group"
        return warn(name, found, text)
    return ok(name, found)


def inotify(instances: int, watches: int) -> Check:
    """Hearth itself uses none; what pods run (reloaders, Node, file watchers) does."""
    name, found = "inotify", f"{instances} instances and {watches} watches for each user"
    if instances < _FEW_WATCHES or watches < 8192:
        text = "sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288"
        return warn(name, found, f"applications that watch files may fail: {text}")
    return ok(name, found)


def disk(free: int, inodes_free: int, inodes: int, folder: str) -> Check:
    """Events, logs, builds and images lie below the state folder."""
    name, found = "disk", f"{free / GIB:.1f} GiB free below {folder}"
    if free < 200 * MIB:
        return fail(name, found, "no event is accepted without room: free some, or --data-dir")
    if inodes and inodes_free * 50 < inodes:
        text = f"{inodes_free} inodes are left"
        return warn(name, text, "remove small files, or choose another place with --data-dir")
    if free < 2 * GIB:
        return warn(name, found, "hearth image prune removes builds and images that none needs")
    return ok(name, found)


def memory(available: int) -> Check:
    """All of Hearth takes some 200 MiB, each pod what its application takes."""
    name, found = "memory", f"{available / GIB:.1f} GiB available"
    if available < 300 * MIB:
        return warn(name, found, "components and pods may be killed: end something else")
    return ok(name, found)


def clock(newest: float, now: float) -> Check:
    """``newest`` is when something was last written here, both in Unix seconds."""
    name = "clock"
    if now < 1_735_689_600:  # 2025: certificates would not hold yet
        return fail(name, "it is before 2025 here", "set the clock: timedatectl set-ntp true")
    if newest - now > _FUTURE_SECONDS:
        found = f"the state folder was written {newest - now:.0f} s in the future"
        return warn(name, found, "the clock went back: certificates and schedules go by it")
    return ok(name, "nothing was written in the future")


def control_groups(has_v2: bool, is_root: bool, controllers: Sequence[str]) -> Check:
    """Limits of containers and of isolated processes are theirs."""
    name = "control groups"
    if not has_v2:
        if is_root:
            return ok(name, "version 1")
        found = "version 1, which leaves ordinary users none"
        return warn(name, found, "limits of CPU and memory hold with version 2 only")
    missing = sorted({"cpu", "memory", "pids"} - set(controllers))
    if missing:
        found = f"version 2 without {', '.join(missing)}"
        return warn(name, found, "limits of these do not hold: have systemd delegate them")
    return ok(name, "version 2 with cpu, memory and pids")


def namespaces(most: int | None, clone: int | None, apparmor: int | None, is_root: bool) -> Check:
    """What containers of ordinary users and --isolate stand on; None: there is no such switch."""
    name = "namespaces"
    if is_root:
        return ok(name, "root may make them")
    if most == 0 or clone == 0:
        text = "sysctl user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1"
        return warn(name, "ordinary users may make none", f"no containers, no --isolate: {text}")
    if apparmor == 1:
        text = "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for bwrap"
        return warn(name, "AppArmor keeps ordinary users from them", text)
    return ok(name, "ordinary users may make them")


def overlay(filesystems: str, has_fuse_overlay: bool) -> Check:
    """What layers of images are put together by."""
    name = "overlay"
    if any(line.split()[-1:] == ["overlay"] for line in filesystems.splitlines()):
        return ok(name, "the kernel has it")
    if has_fuse_overlay:
        return ok(name, "by fuse-overlayfs")
    return warn(name, "the kernel has not loaded it", "containers take it: modprobe overlay")


def kubectl(version: str | None, server: str) -> Check:
    """Versions as v1.36.2; None where there is no kubectl."""
    name = "kubectl"
    if version is None:
        return warn(name, "not found", "hearth goes without; most guides use it: install kubectl")
    minors = [int(text.lstrip("v").split(".")[1].rstrip("+")) for text in (version, server)]
    found = f"{version}, the API is {server}"
    if abs(minors[0] - minors[1]) > _SKEW:
        text = f"1.{minors[1] - 1} to 1.{minors[1] + 1} are made for this API; others mostly work"
        return warn(name, found, text)
    return ok(name, found)


def localhost(addresses: Sequence[str]) -> Check:
    """Whether names below localhost lead to this machine, as RFC 6761 wants it."""
    name = "*.localhost"
    if addresses and all(each == "::1" or each.startswith("127.") for each in addresses):
        return ok(name, f"leads to {', '.join(sorted(set(addresses)))}")
    found = f"leads to {', '.join(addresses)}" if addresses else "is not resolved here"
    text = "curl and browsers know it; for other programs install libnss-myhostname"
    return warn(name, found, text)


def proxies(environment: Mapping[str, str]) -> Check:
    """A proxy would be asked for names of this machine, and knows none of them."""
    name = "proxy"
    lower = {key.lower(): value for key, value in environment.items()}
    if not lower.get("http_proxy"):
        return ok(name, "no http_proxy")
    passed = {each.strip().lstrip(".*") for each in lower.get("no_proxy", "").split(",")}
    if "localhost" in passed:
        return ok(name, "http_proxy passes localhost over")
    text = "export no_proxy=localhost,.localhost,127.0.0.1"
    return warn(name, "http_proxy is set and stands between", text)


def folder(mode: int, owner: int, user: int, *, is_writable: bool, path: str) -> Iterator[Check]:
    """The state folder holds the administrator's token."""
    name = "state folder"
    if not is_writable:
        found = f"{path} cannot be written by this user"
        yield fail(name, found, "chown it, or choose another with --data-dir")
    elif owner != user or mode & 0o077:
        yield warn(name, f"others may look into {path}", f"chmod 700 {path}")
    else:
        yield ok(name, path)
    longest = len(f"{path}/run/api.sock".encode())
    if longest > 107:
        text = "no socket of the API: programs go by TLS, which takes more memory"
        yield warn("socket", f"{path} is {longest - 107} bytes too long", text)
