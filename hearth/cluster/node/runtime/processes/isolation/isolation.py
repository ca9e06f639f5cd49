"""Keeps processes apart: their view by ``sandbox``, what they may use by control groups.

An isolated container is bubblewrap outside, its first process inside (which reaps), and the
program. Commands beside it enter its namespaces, and its control group.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hearth
from hearth.cluster.node.runtime.api import StartError
from hearth.cluster.node.runtime.cgroups.files import Limits
from hearth.cluster.node.runtime.cgroups.group import Group
from hearth.cluster.node.runtime.cgroups.place import find_place
from hearth.cluster.node.runtime.containers.limits import limits_of
from hearth.cluster.node.runtime.processes.isolation.sandbox import (
    Sandbox,
    named_by,
    shown_for,
)
from hearth.cluster.node.volumes.mounts import Mount

_TRIAL_SECONDS = 20.0
_CODE = Path(hearth.__file__).resolve().parents[1]
"""Where Hearth's own programs and samples are, which some pods run."""
_ENTER = """
tries=0 first= program=
until [ -n "$program" ]; do
  if [ $tries = 1000 ] || ! read -r state </proc/$1/comm; then
    echo "the container does not run"; exit 126
  fi
  [ $tries = 0 ] || sleep 0.01
  read -r first rest </proc/$1/task/$1/children
  [ -z "$first" ] || read -r program rest </proc/$first/task/$first/children
  tries=$((tries + 1))
done 2>/dev/null
cwd=$2 more=$3; shift 3
exec nsenter -t "$first" -U -m -p -i $more --preserve-credentials -- \\
  /bin/sh -c 'cd "$0" && exec "$@"' "$cwd" "$@"
"""
"""Arguments: pid of bubblewrap, folder, an option for nsenter (may be empty), command.

The first process inside is bubblewrap's only child, and has set all up when it has a child."""


class CannotIsolate(Exception):
    """This machine does not let us; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Isolation:
    """How this node isolates. ``groups`` holds the groups of its containers, None: no limits."""

    bwrap: str
    home: Path
    secret: tuple[Path, ...]
    """Folders that are never shown, nor what they are in."""
    name: str = ""
    groups: Group | None = None
    why_no_limits: str = ""

    def describe(self) -> str:
        """For the user: what is kept apart, and whether limits hold."""
        limits = "limits of cpu, memory and pids by control groups"
        if self.groups is None:
            limits = f"limits are not enforced ({self.why_no_limits})"
        return f"isolated by bubblewrap; {limits}"

    def argv(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        cwd: str,
        given_env: Mapping[str, str],
        own: Path,
        mark: str,
        writable: Sequence[Path] = (),
        mounts: Sequence[Mount] = (),
    ) -> tuple[str, ...]:
        """The command that runs another one inside; raises StartError where that is not there.

        Shown is what is named: by the command and in ``given_env``, the image's own variables.
        ``own`` is the folder of the pod, of which it sees what is ``writable``; ``mark`` names the
        container.
        """
        path = os.path.join(cwd, argv[0])
        is_mounted = any(Path(path).is_relative_to(mount.target) for mount in mounts)
        words = [argv[0] if is_mounted else find_program(argv[0], env, cwd), *argv[1:], cwd]
        named = (part for text in given_env.values() for part in text.split(":"))
        readable = {_CODE}.union(*map(shown_for, words), *map(named_by, named))
        sandbox = Sandbox(self.secret, self.home)
        view = sandbox.build(
            readable=sorted(readable),
            writable=writable,
            own=own,
            mounts=mounts,
            cwd=cwd,
            groups=None if self.groups is None else self.groups.child(mark).folders,
        )
        return (self.bwrap, *view, *argv)

    def limited(self, mark: str, resources: Mapping[str, Any]) -> tuple[str, ...]:
        """Makes a container's group; the words before a command that put it there."""
        group = self.group(mark)
        if group is None:
            return ()
        wanted = limits_of(resources)
        try:
            if self.groups is not None and not self.groups.is_there():
                find_place(self.name)  # it went when it was empty
            group.make()
            group.limit(
                Limits(
                    cpu_millis=wanted.cpu_quota // 100 or None,
                    cpu_shares=wanted.cpu_shares,
                    memory_bytes=wanted.memory or None,
                    pids=wanted.pids,
                )
            )
        except OSError as error:
            group.remove()
            raise StartError(f"no limits can be set: {error}") from error
        return self._joining(group)

    def group(self, mark: str) -> Group | None:
        """The group of a container."""
        return None if self.groups is None else self.groups.child(mark)

    @staticmethod
    def _joining(group: Group) -> tuple[str, ...]:
        joins = " && ".join(f"echo 0 >{shlex.quote(str(each))}" for each in group.join_files())
        return ("/bin/sh", "-c", f'{joins} && exec "$@"', "sh")

    def entering(self, pid: int, mark: str, cwd: str) -> tuple[str, ...]:
        """The words before a command that run it inside, beside the program; ``pid`` is bwrap's."""
        group = self.group(mark)
        joining = () if group is None else self._joining(group)
        more = "" if group is None else "-C"
        return (*joining, "/bin/sh", "-c", _ENTER, "sh", str(pid), cwd, more)

    def sweep(self, marks: Collection[str]) -> None:
        """Ends and removes all groups but those of these containers; the place, too, when empty."""
        if self.groups is None:
            return
        for name in {each.name for top in self.groups.folders.all for each in _folders(top)}:
            if name not in marks:
                group = self.groups.child(name)
                for pid in group.pids():
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
                group.remove()
        if not marks:
            self.groups.remove()


def _folders(top: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [each for each in top.iterdir() if each.is_dir()]
    return []


def find_program(program: str, env: Mapping[str, str], cwd: str) -> str:
    """Where a program is, seen from outside; raises StartError where it is not."""
    path = os.path.join(cwd, program) if "/" in program else program
    found = shutil.which(path, path=env.get("PATH", os.defpath))
    if found is not None:
        return found
    if "/" not in program:
        raise StartError(f'exec: "{program}": not found in $PATH')
    why = "permission denied" if os.path.exists(path) else "no such file or directory"
    raise StartError(f'exec: "{program}": {why}')


def check_program(pid: int, program: str, env: Mapping[str, str], cwd: str) -> None:
    """Raises StartError for a program that is not there inside; ``pid`` is bwrap's."""
    inside = [f"/proc/{each}/root" for each in _programs(pid)[:1]]
    folders = env.get("PATH", os.defpath).split(":") if "/" not in program else [cwd]
    for root in inside:
        if not any(os.path.lexists(root + os.path.join(each, program)) for each in folders):
            why = "no such file or directory" if "/" in program else "not found in $PATH"
            raise StartError(f'exec: "{program}": {why}')


def signal_inside(pid: int, number: signal.Signals) -> bool:
    """Signals the program of a container (``pid`` is bwrap's); False where there is none yet.

    What was orphaned inside gets it as well. The first process inside ignores signals.
    """
    programs = _programs(pid)
    for program in programs:
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(program)
            try:
                if program in _programs(pid):  # still the one that was meant
                    signal.pidfd_send_signal(pidfd, number)
            finally:
                os.close(pidfd)
    return bool(programs)


def _programs(pid: int) -> list[int]:
    firsts = _children(pid)
    return _children(firsts[0]) if firsts else []


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def find_isolation(name: str, home: Path, data_dir: Path) -> Isolation:
    """What this machine has; tries it, and raises CannotIsolate. ``name`` is that of the groups."""
    programs = {each: shutil.which(each) for each in ("bwrap", "nsenter")}
    for program, package in (("bwrap", "bubblewrap"), ("nsenter", "util-linux")):
        if programs[program] is None:
            raise CannotIsolate(
                f"--isolate needs the program {program}: install the package {package}, "
                "or start without --isolate"
            )
    secret = [home, data_dir, *map(Path, ("/home", "/root", "/tmp", "/var/tmp", "/run"))]
    groups, why = find_place(f"hearth-processes-{name}")
    resolved = tuple(dict.fromkeys(path.resolve() for path in secret))
    found = Isolation(
        programs["bwrap"] or "", home.resolve(), resolved, f"hearth-processes-{name}", groups, why
    )
    problem = _problem(found)
    if problem and found.groups is not None:
        without = replace(found, groups=None, why_no_limits=problem)
        found, problem = without, _problem(without)
    if problem:
        raise CannotIsolate(
            f"this machine does not let bubblewrap isolate programs ({problem}): allow user "
            "namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
            "kernel.apparmor_restrict_unprivileged_userns), or start without --isolate"
        )
    return found


def _problem(isolation: Isolation) -> str:
    """Runs nothing, with all that a container has; what was said where that did not work."""
    mark, env = f"trial-{os.getpid()}", {"PATH": os.defpath}
    try:
        command = isolation.argv(
            ("/bin/true",), env, cwd="/", given_env={}, own=Path("/tmp/pod"), mark=mark
        )
        ended = subprocess.run(
            (*isolation.limited(mark, {}), *command),
            env=env, cwd="/", capture_output=True, text=True, timeout=_TRIAL_SECONDS,
        )  # fmt: skip
    except (OSError, StartError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        if group := isolation.group(mark):
            group.remove()
    return (ended.stderr.strip() or f"exit code {ended.returncode}") if ended.returncode else ""
