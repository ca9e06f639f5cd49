"""From a start request and an image to a container: everything a runtime has to know. Pure.

A runtime fetches the image, gives what the image says as an ``ImageConfig`` and acts on the
``ContainerPlan``. The rules are kubelet's; so are the texts of what is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from hearth.cluster.node.pod.environment import ConfigError, expand_all, make_environment
from hearth.cluster.node.runtime.api import CreateError, StartRequest
from hearth.cluster.node.runtime.containers.limits import Limits, limits_of
from hearth.cluster.node.runtime.containers.security import Security, security_of
from hearth.cluster.node.volumes.mounts import Mount, make_mounts
from hearth.kube import meta
from hearth.kube.meta import Object

_LONGEST_HOSTNAME = 63
_SOMEWHERE = Path()


class ImageConfig(Protocol):
    """What an image says about how it is run (the image configuration of OCI)."""

    @property
    def entrypoint(self) -> Sequence[str]:
        """The program, unless the container gives a ``command``."""

    @property
    def cmd(self) -> Sequence[str]:
        """Its arguments, unless the container gives ``command`` or ``args``."""

    @property
    def env(self) -> Mapping[str, str]:
        """Its variables."""

    @property
    def workdir(self) -> str:
        """Where it starts; empty for the root folder."""

    @property
    def user(self) -> str:
        """``USER[:GROUP]``, names or numbers; empty for root."""

    @property
    def stop_signal(self) -> str:
        """What asks it to end; empty for SIGTERM."""


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """A container as it is to be made; the image's own part is filled in."""

    args: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    hostname: str
    security: Security
    limits: Limits
    mounts: tuple[Mount, ...] = ()
    stop_signal: str = "SIGTERM"
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False

    @property
    def key(self) -> str:
        """A digest of all that goes in, but for where mounted files lie: alike for pods alike."""
        mounts = tuple(replace(mount, source=_SOMEWHERE) for mount in self.mounts)
        text = json.dumps(asdict(replace(self, mounts=mounts)), sort_keys=True, default=str)
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def plan_container(request: StartRequest, image: ImageConfig) -> ContainerPlan:
    """The container that a request asks for.

    Raises CreateError where the description has a hole or asks for what is refused.
    """
    container, raw, pod = request.container, request.raw, request.facts.pod
    hostname = hostname_of(pod)
    before = {**request.dns.environment, "HOSTNAME": hostname, **image.env}
    try:
        env = make_environment(raw, before, request.sources, facts=request.facts)
        env = request.dns.translate(env)
        mounts = make_mounts(raw, pod, request.volumes, env)
        security = security_of(pod, raw, image.user, may_all=request.volumes.allow_host_path)
    except ConfigError as error:
        raise CreateError("CreateContainerConfigError", str(error)) from error
    return ContainerPlan(
        args=_command_line(request, image, env),
        env=env,
        cwd=container.working_dir or image.workdir or "/",
        hostname=hostname,
        security=security,
        limits=limits_of(raw.get("resources") or {}),
        mounts=(*mounts, *_files(request)),
        stop_signal=image.stop_signal or "SIGTERM",
        stdin=bool(raw.get("stdin")),
        stdin_once=bool(raw.get("stdinOnce")),
        tty=bool(raw.get("tty")),
    )


def _files(request: StartRequest) -> Iterator[Mount]:
    """What every container is given beside its volumes."""
    files = {
        request.container.termination_path: request.files.termination_log,
        "/etc/hosts": request.dns.hosts,
        "/etc/resolv.conf": request.dns.resolv_conf,
    }
    return (Mount(path, at, read_only=False) for at, path in files.items() if path is not None)


def hostname_of(pod: Object) -> str:
    """The host name that a pod's containers see: the pod's name, cut as kubelet cuts it."""
    given: str = pod["spec"].get("hostname") or meta.name(pod)
    return given[:_LONGEST_HOSTNAME].rstrip("-.")


def _command_line(
    request: StartRequest, image: ImageConfig, env: Mapping[str, str]
) -> tuple[str, ...]:
    """``$(VAR)`` is expanded in what the pod says, never in what the image says."""
    command = expand_all(request.container.command, env)
    args = expand_all(request.container.args, env)
    line = (*command, *args) if command else (*image.entrypoint, *(args or tuple(image.cmd)))
    if not line:
        raise CreateError(
            "CreateContainerError",
            f'image "{request.container.image}" has no command and the container gives none',
        )
    return line
