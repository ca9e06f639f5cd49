"""An example of a second runtime: containers that are nothing but entries in a dictionary.

It shows what the seam asks for. Each pod has an address of its own, so no port is mapped.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cluster.node.pod.environment import ConfigError, make_environment
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.spec import PodSpec
from hearth.cluster.node.runtime.api import (
    STDERR,
    STDOUT,
    CreateError,
    ExecResult,
    Exit,
    StartError,
    StartRequest,
    Streams,
    Usage,
)
from hearth.cluster.node.runtime.crilog import LineFormatter
from hearth.cluster.node.runtime.logs import RotatingFile
from hearth.kube import meta


@dataclass(slots=True)
class Machine:
    """What outlives the node's process."""

    images: set[str] = field(default_factory=lambda: {"app"})
    containers: dict[str, Container] = field(default_factory=dict)
    addresses: int = 0


@dataclass(slots=True)
class Container:
    """A "running" program: it has ended when ``end`` is set."""

    pod_uid: str
    names: tuple[str, str, str]
    started_at: float
    command: tuple[str, ...] = ()
    end: Exit | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def finish(self, how: Exit) -> None:
        if self.end is None:
            self.end = how
            self.changed.set()


@dataclass(slots=True)
class MemoryInstance:
    machine: Machine
    handle: str
    env: dict[str, str]
    started_at: float
    image_id: str = "memory@sha256:0"

    @property
    def container_id(self) -> str:
        return f"memory://{self.handle}"

    @property
    def container(self) -> Container:
        return self.machine.containers[self.handle]

    async def wait(self) -> Exit:
        container = self.container
        await container.changed.wait()
        assert container.end is not None
        return container.end

    async def exec(self, command: Sequence[str], *, timeout: float) -> ExecResult:
        code, output = _run(command, self.env)
        if code is None:
            await asyncio.sleep(timeout)
        return ExecResult(code, output)

    def listening(self) -> None:
        return None

    async def stream(self, command: Sequence[str], streams: Streams) -> int:
        match list(command):
            case ["cat"]:
                while data := await streams.read():
                    await streams.write(data)
                return 0
            case ["size"]:
                size = await streams.resized()
                await streams.write(f"{size.rows} {size.columns}\r\n".encode())
                return 0
        terminal = {"TERM": "xterm"} if streams.is_terminal else {}
        code, output = _run(command, {**terminal, **self.env})
        stream = STDERR if command[0] == "warn" else STDOUT
        ending = "\r\n" if streams.is_terminal else "\n"
        await streams.write(output.replace("\n", ending).encode(), stream)
        if code is None:
            await asyncio.Event().wait()
        assert code is not None
        return code

    async def attach(self, streams: Streams) -> None:
        ended = asyncio.create_task(self.wait())
        echo = asyncio.create_task(self._echo(streams))
        try:
            await asyncio.wait({ended, echo}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ended, echo):
                task.cancel()
            await asyncio.gather(ended, echo, return_exceptions=True)

    async def _echo(self, streams: Streams) -> None:
        await self.stream(self.container.command, streams)
        self.container.finish(Exit(0))

    def terminate(self) -> None:
        if self.container.command != ("deaf",):
            self.container.finish(Exit(143, 15))

    def kill(self) -> None:
        self.container.finish(Exit(137, 9))

    async def close(self, *, sweep: bool) -> None:
        self.machine.containers.pop(self.handle, None)


def _run(command: Sequence[str], env: dict[str, str]) -> tuple[int | None, str]:
    """Exit code (None: it runs on) and output of a program."""
    match list(command):
        case ["exit", code]:
            return int(code), ""
        case ["print", text]:
            return 0, f"{text}\n"
        case ["warn", text]:
            return 0, f"{text}\n"
        case ["show", name]:
            return 0, f"{name}={env.get(name, '')}\n"
        case ["cat"] | ["serve"]:
            return None, ""
        case ["forever" | "deaf" as word]:
            return None, f"{word}\n"
    raise StartError(f'exec: "{command[0]}": no such file or directory')


class MemoryRuntime:
    version = "memory://1"
    preparing = None

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._known: set[str] = set()
        self._networks: dict[str, PodNetwork] = {}
        self._images = set(machine.images)

    async def run(self, on_change: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(0.01)
            if self._machine.images != self._images:
                self._images = set(self._machine.images)
                on_change()

    async def prepare(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        if pod.uid not in self._networks:
            self._machine.addresses += 1
            fresh = PodNetwork(f"10.0.0.{self._machine.addresses}")
            is_ours = previous.ip.startswith("10.") and previous not in self._networks.values()
            self._networks[pod.uid] = previous if is_ours else fresh
        return self._networks[pod.uid]

    async def bridge(self) -> None:
        return None

    async def start(self, request: StartRequest) -> MemoryInstance:
        container, pod = request.container, request.facts.pod
        if container.image not in self._machine.images:
            raise CreateError("ErrImagePull", f"no image {container.image}")
        try:
            env = make_environment(request.raw, {}, request.sources, facts=request.facts)
        except ConfigError as error:
            raise CreateError("CreateContainerConfigError", str(error)) from error
        code, output = _run(container.command, env)
        handle = f"{meta.uid(pod)}-{container.name}-{request.restarts}"
        names = (meta.namespace(pod), meta.name(pod), container.name)
        made = Container(meta.uid(pod), names, time.time(), container.command)
        self._machine.containers[handle] = made
        self._known.add(handle)
        log = RotatingFile(request.files.log)
        log.write(LineFormatter("stdout").feed(output.encode(), time.time_ns()))
        log.close()
        if code is not None:
            made.finish(Exit(code))
        request.report("Normal", "Pulled", f'Container image "{container.image}" in memory')
        return MemoryInstance(self._machine, handle, env, made.started_at)

    async def adopt(self, request: StartRequest, record: Record) -> MemoryInstance | None:
        handle = record.running.handle if record.running else ""
        container = self._machine.containers.get(handle)
        if container is None or container.end is not None:
            return None
        self._known.add(handle)
        self._networks[meta.uid(request.facts.pod)] = request.network
        env = make_environment(request.raw, {}, request.sources, facts=request.facts)
        return MemoryInstance(self._machine, handle, env, container.started_at)

    async def dial(self, uid: str, port: int) -> socket.socket:
        if port != 8080 or uid not in self._networks:
            raise ConnectionRefusedError("nobody listens")
        ours, theirs = socket.socketpair()
        theirs.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        theirs.close()
        ours.setblocking(False)
        return ours

    async def remove(self, uid: str) -> None:
        self._networks.pop(uid, None)
        for container in self._machine.containers.values():
            if container.pod_uid == uid:
                container.finish(Exit(137, 9))

    async def sweep(self) -> int:
        strange = [
            container
            for handle, container in self._machine.containers.items()
            if handle not in self._known and container.end is None
        ]
        for container in strange:
            container.finish(Exit(137, 9))
        return len(strange)

    async def close(self) -> None:
        pass

    def usage(self) -> list[Usage]:
        running = [c for c in self._machine.containers.values() if c.end is None]
        return [Usage(*container.names, 0.0, 1) for container in running]


class Harness:
    image = "app"

    def __init__(self, data_dir: Path) -> None:
        self._machine = Machine()

    def runtime(self) -> MemoryRuntime:
        return MemoryRuntime(self._machine)

    def program(self, *words: str) -> list[str]:
        return list(words)

    def add_image(self, name: str) -> None:
        self._machine.images.add(name)

    def is_running(self, handle: str) -> bool:
        container = self._machine.containers.get(handle)
        return container is not None and container.end is None
