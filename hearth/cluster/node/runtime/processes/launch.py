"""From a start request to a program: image, environment, command line, mounts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hearth.cluster.node.images.store import (
    ImageSpec,
    ImageStore,
    unknown_image_message,
)
from hearth.cluster.node.pod.environment import ConfigError, expand_all, make_environment
from hearth.cluster.node.pod.network import port_environment, with_real_port
from hearth.cluster.node.pod.spec import Container
from hearth.cluster.node.runtime.api import CreateError, StartError, StartRequest
from hearth.cluster.node.runtime.processes.environment import CONTAINER_MARK, volume_environment
from hearth.cluster.node.runtime.processes.isolation.isolation import Isolation
from hearth.cluster.node.runtime.processes.mounter import Mounter
from hearth.cluster.node.runtime.processes.process import Process
from hearth.cluster.node.volumes.mounts import Mount, make_mounts
from hearth.kube import meta
from hearth.oci.references import InvalidImageName, parse_reference

_DEFAULT_TERMINATION_PATH = "/dev/termination-log"


@dataclass(frozen=True, slots=True)
class Command:
    """A program ready to run; ``prefix`` are the words before its own that make its mounts."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    prefix: tuple[str, ...] = ()
    warning: str = ""
    """For an event: what could not be mounted."""


def find_image(images: ImageStore, container: Container) -> ImageSpec:
    """What the container's image name stands for; raises CreateError with kubelet's reasons."""
    try:
        image = images.resolve(container.image)
    except InvalidImageName as error:
        text = f'Failed to apply default image tag "{container.image}": {error}'
        raise CreateError("InvalidImageName", text) from error
    if image is not None:
        return image
    if container.pull_policy == "Never":
        text = f'Container image "{container.image}" is not present with pull policy of Never'
        raise CreateError("ErrImageNeverPull", f"{text}: {unknown_image_message(container.image)}")
    raise CreateError("ErrImagePull", unknown_image_message(container.image))


def make_image_id(container: Container, image: ImageSpec) -> str:
    """The ``imageID`` of the status: repository and digest."""
    return f"{parse_reference(container.image).repository}@{image.digest}"


async def make_command(
    request: StartRequest,
    image: ImageSpec,
    mounter: Mounter,
    *,
    base: Mapping[str, str],
    marks: Mapping[str, str],
    isolation: Isolation | None = None,
) -> Command:
    """The command that runs a container.

    Raises CreateError where the container's description has a hole, StartError where it is known
    beforehand that the program cannot be found.
    """
    container = request.container
    try:
        env = {**_environment(request, image, base), **marks}
        mounts = _mounts(request, env)
    except ConfigError as error:
        raise CreateError("CreateContainerConfigError", str(error)) from error
    argv = expand_all(image.command_line(container.command, container.args), env)
    if not argv:
        raise CreateError(
            "CreateContainerError",
            f'image "{container.image}" has no command and the container gives none',
        )
    cwd = container.working_dir or image.workdir or str(request.volumes.pod)
    if isolation is not None:
        return _isolated(request, image, isolation, mounts, Command(argv, env, cwd))
    if not mounts:
        return Command(argv, env, cwd)
    if not await mounter.is_possible():
        return Command(argv, env, cwd, warning=_not_mounted(mounter.why_not, mounts))
    if "/" not in argv[0] and shutil.which(argv[0], path=env.get("PATH")) is None:
        raise StartError(f'exec: "{argv[0]}": not found in $PATH')
    messages = request.files.termination_log
    prefix = mounter.prefix(mounts, cwd=cwd, folder=request.files.folder, messages=messages)
    return Command((*prefix, *argv), env, "/", prefix)


def _isolated(
    request: StartRequest,
    image: ImageSpec,
    isolation: Isolation,
    mounts: Sequence[Mount],
    command: Command,
) -> Command:
    """The command with its own view of the machine, in a control group of its own."""
    volumes = request.volumes.pod / "volumes"
    inside = isolation.argv(
        command.argv,
        command.env,
        cwd=command.cwd,
        given_env=image.env,
        own=request.volumes.pod,
        mark=command.env[CONTAINER_MARK],
        writable=[p for p in (volumes, request.files.termination_log) if p.exists()],
        mounts=mounts,
    )
    resources = request.raw.get("resources") or {}
    joining = isolation.limited(command.env[CONTAINER_MARK], resources)
    return replace(command, argv=(*joining, *inside))


def running_command(
    request: StartRequest, process: Process, mounter: Mounter, *, is_isolated: bool
) -> Command:
    """The command of an adopted process, read back from it.

    So probes and hooks run beside it as if this node had started it.
    """
    env = _environment_of(process.pid)
    cwd = request.container.working_dir or _folder_of(process.pid) or str(request.volumes.pod)
    mounts = _mounts(request, env)
    if not mounts or is_isolated:
        return Command((), env, cwd)
    return Command((), env, "/", mounter.prefix(mounts, cwd=cwd, folder=request.files.folder))


def _environment(
    request: StartRequest, image: ImageSpec, base: Mapping[str, str]
) -> dict[str, str]:
    container, pod = request.container, request.facts.pod
    before = {
        **base,
        "HOSTNAME": meta.name(pod),
        **port_environment(container, request.network),
        **volume_environment(pod, request.volumes),
        "HEARTH_TERMINATION_LOG": str(request.files.termination_log),
        **image.env,
    }
    env = make_environment(request.raw, before, request.sources, facts=request.facts)
    return with_real_port(env, container, request.network)


def _mounts(request: StartRequest, env: Mapping[str, str]) -> list[Mount]:
    mounts = make_mounts(request.raw, request.facts.pod, request.volumes, env)
    path = request.container.termination_path
    if path != _DEFAULT_TERMINATION_PATH:
        mounts.append(Mount(request.files.termination_log, path, read_only=False))
    return mounts


def _not_mounted(why: str, mounts: list[Mount]) -> str:
    paths = ", ".join(mount.target for mount in mounts)
    return (
        f"this machine does not allow mounts ({why}): {paths} not mounted; "
        "the program finds its volumes through HEARTH_VOLUME_<NAME>"
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
