"""Starts a container: image, environment, command line, mounts, process."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hearth.cluster.node.images.store import (
    ImageSpec,
    InvalidImageName,
    parse_reference,
    unknown_image_message,
)
from hearth.cluster.node.pod.environment import (
    ConfigError,
    Facts,
    Sources,
    expand_all,
    make_environment,
)
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.spec import Container
from hearth.cluster.node.probes.handlers import Target
from hearth.cluster.node.runtime.processes.logpump import LogPump, RotatingFile
from hearth.cluster.node.runtime.processes.ports import PortMap, port_environment, with_real_port
from hearth.cluster.node.runtime.processes.process import Launch, LaunchError, adopt, start
from hearth.cluster.node.volumes.volumes import Mount, make_mounts, volume_environment
from hearth.cluster.node.worker.context import (
    CONTAINER_MARK,
    CONTAINER_SCHEME,
    NODE_MARK,
    POD_MARK,
    NodeContext,
)
from hearth.cluster.node.worker.folder import PodFolder
from hearth.cluster.node.worker.instance import Instance
from hearth.kube import meta
from hearth.kube.meta import Object

_DEFAULT_TERMINATION_PATH = "/dev/termination-log"


class Refused(Exception):
    """The container cannot be created: ``reason`` is its waiting reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Start:
    """All that goes into one start."""

    context: NodeContext
    pod: Object  # with the service account volume, where wanted
    container: Container
    folder: PodFolder
    ports: PortMap
    sources: Sources
    restarts: int

    def facts(self) -> Facts:
        return Facts(self.pod, self.context.node_name, self.context.allocatable)


@dataclass(frozen=True, slots=True)
class Started:
    instance: Instance
    image_id: str
    warning: str = ""  # for an event: a volume that could not be mounted


async def start_container(what: Start) -> Started:
    """Raises Refused where it cannot be created, LaunchError where the program does not start."""
    image = find_image(what.context, what.container)
    container_id = uuid.uuid4().hex
    try:
        env = _environment(what, image, container_id)
        mounts = _mounts(what, env)
    except ConfigError as error:
        raise Refused("CreateContainerConfigError", str(error)) from error
    argv = expand_all(image.command_line(what.container.command, what.container.args), env)
    if not argv:
        raise Refused(
            "CreateContainerError",
            f'image "{what.container.image}" has no command and the container gives none',
        )
    what.folder.prepare_instance(what.container.name, what.restarts)
    cwd = what.container.working_dir or image.workdir or str(what.folder.path)
    prefix, warning = await _mount_prefix(what, mounts, cwd=cwd)
    instance = _launch(what, (*prefix, *argv), env, cwd="/" if prefix else cwd, prefix=prefix,
                       container_id=container_id)  # fmt: skip
    return Started(instance, image_id(what.container, image), warning)


def find_image(context: NodeContext, container: Container) -> ImageSpec:
    try:
        image = context.images.resolve(container.image)
    except InvalidImageName as error:
        text = f'Failed to apply default image tag "{container.image}": {error}'
        raise Refused("InvalidImageName", text) from error
    if image is not None:
        return image
    if container.pull_policy == "Never":
        text = f'Container image "{container.image}" is not present with pull policy of Never'
        raise Refused("ErrImageNeverPull", f"{text}: {unknown_image_message(container.image)}")
    raise Refused("ErrImagePull", unknown_image_message(container.image))


def image_id(container: Container, image: ImageSpec) -> str:
    return f"{parse_reference(container.image).repository}@{image.digest}"


def _environment(what: Start, image: ImageSpec, container_id: str) -> dict[str, str]:
    base = {
        **what.context.base_env,
        "HOSTNAME": meta.name(what.pod),
        **port_environment(what.container, what.ports),
        **volume_environment(what.pod, what.context.volume_folders(what.folder.path)),
        "HEARTH_TERMINATION_LOG": str(what.folder.termination_log(what.container.name)),
        **image.env,
    }
    env = make_environment(what.container.raw, base, what.sources, facts=what.facts())
    env = with_real_port(env, what.container, what.ports)
    return env | {
        NODE_MARK: what.context.node_id,
        POD_MARK: meta.uid(what.pod),
        CONTAINER_MARK: container_id,
    }


def _mounts(what: Start, env: Mapping[str, str]) -> list[Mount]:
    folders = what.context.volume_folders(what.folder.path)
    mounts = make_mounts(what.container.raw, what.pod, folders, env)
    path = what.container.termination_path
    if path != _DEFAULT_TERMINATION_PATH:
        log = what.folder.termination_log(what.container.name)
        mounts.append(Mount(log, path, read_only=False))
    return mounts


async def _mount_prefix(
    what: Start, mounts: list[Mount], *, cwd: str
) -> tuple[tuple[str, ...], str]:
    """The words before the program that set its mounts up, and a warning if that cannot be."""
    if not mounts:
        return (), ""
    mounter = what.context.mounter
    if not await mounter.is_possible():
        paths = ", ".join(m.target for m in mounts)
        return (), (
            f"this machine does not allow mounts ({mounter.why_not}): {paths} not mounted; "
            "the program finds its volumes through HEARTH_VOLUME_<NAME>"
        )
    staging = what.folder.staging(what.container.name)
    return tuple(mounter.wrap([], mounts, cwd=cwd, staging=staging)), ""


def _launch(
    what: Start,
    argv: tuple[str, ...],
    env: Mapping[str, str],
    *,
    cwd: str,
    prefix: tuple[str, ...],
    container_id: str,
) -> Instance:
    program = argv[len(prefix)]
    if prefix and "/" not in program and shutil.which(program, path=env["PATH"]) is None:
        raise LaunchError(f'exec: "{program}": not found in $PATH')
    folder, name = what.folder, what.container.name
    pump = LogPump(folder.pipes(name), RotatingFile(folder.log(name, what.restarts)))
    stdout, stderr = pump.open()
    try:
        process = start(Launch(argv, env, cwd, stdout, stderr))
    except LaunchError:
        pump.close()
        raise
    finally:
        os.close(stdout)
        os.close(stderr)
    return Instance(
        container=what.container,
        process=process,
        pump=pump,
        target=Target(what.container, what.ports, env, cwd, prefix),
        started_at=what.context.clock(),
        container_id=f"{CONTAINER_SCHEME}{container_id}",
        termination_log=folder.termination_log(name),
    )


def adopt_container(what: Start, record: Record) -> Instance | None:
    """The instance that a former node process started, if it still runs.

    Its environment and working directory are read back from the process, so that probes and
    hooks run as they would have.
    """
    if record.running is None:
        return None
    process = adopt(record.running.pid, record.running.start_ticks)
    if process is None:
        return None
    env = _environment_of(process.pid)
    folder, name = what.folder, what.container.name
    mounts = _mounts(what, env)
    cwd = what.container.working_dir or _folder_of(process.pid) or str(folder.path)
    wrapped = what.context.mounter.wrap([], mounts, cwd=cwd, staging=folder.staging(name))
    prefix = tuple(wrapped) if mounts else ()
    pump = LogPump(folder.pipes(name), RotatingFile(folder.log(name, record.restarts)))
    pump.reopen()
    return Instance(
        container=what.container,
        process=process,
        pump=pump,
        target=Target(what.container, what.ports, env, "/" if prefix else cwd, prefix),
        started_at=record.running.started_at,
        container_id=record.container_id,
        termination_log=folder.termination_log(name),
    )


def _folder_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def _environment_of(pid: int) -> dict[str, str]:
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    pairs = (os.fsdecode(entry).partition("=") for entry in entries if entry)
    return {name: value for name, _, value in pairs}
