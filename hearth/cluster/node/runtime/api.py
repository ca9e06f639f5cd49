"""The seam between the node and what runs containers.

Agent, workers, probes and status know a runtime by this module only; ``main`` chooses one. A
runtime knows nothing of the Kubernetes API: it gets a ``StartRequest`` and returns an ``Instance``.
``tests/component/node/runtimes`` holds the suite that every runtime passes.

What is the same for all runtimes stays on this side of the seam: restarts and their back-off,
hooks, probes, grace periods, the files of volumes, termination messages. What differs is beyond
it: where an image comes from, addresses, limits, how a process is isolated, watched and found
again after the node's own restart.

Output is not a method: a runtime writes what a container prints to ``ContainerFiles.log``, in the
format of ``runtime.crilog``, where the API server reads it even while no node runs.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hearth.cluster.node.pod.dns import PodDns
from hearth.cluster.node.pod.environment import Facts, Sources
from hearth.cluster.node.pod.listening import Listening
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.records import Record
from hearth.cluster.node.pod.spec import Container, PodSpec, raw_container
from hearth.cluster.node.volumes.folders import VolumeFolders

Report = Callable[[str, str, str], None]
"""Records an event on the pod: type (Normal or Warning), reason, message."""


class PrepareError(Exception):
    """A pod cannot be given what its containers share; the reason is that of the event."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CreateError(Exception):
    """A container cannot be created yet: ``reason`` is its waiting reason (``ErrImagePull``).

    It counts as no restart; the worker tries again later.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StartError(Exception):
    """A program could not be started; the text is for the container's status.

    It counts as an instance that ended at once, so restart policy and back-off apply.
    """


@dataclass(frozen=True, slots=True)
class Exit:
    """How an instance ended; ``code`` is None when nobody could see it."""

    code: int | None
    signal: int = 0
    is_out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class ExecResult:
    """A command run beside a container; ``code`` is None when its time ran out."""

    code: int | None
    output: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What one running container uses now, all its processes together."""

    namespace: str
    pod: str
    container: str
    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Bridge:
    """What containers hang on: an interface of this machine, and our address as they see it.

    The name is empty where that is no interface of ours: with rootless engines, or where containers
    share the machine's network. The gateway is empty where they do not reach the machine.
    """

    name: str
    gateway: str


@dataclass(frozen=True, slots=True)
class ContainerFiles:
    """Where a container's files lie. The runtime may keep files of its own in ``folder``."""

    folder: Path
    log: Path
    termination_log: Path


@dataclass(frozen=True, slots=True)
class StartRequest:
    """All that goes into one start of a container.

    ``facts`` hold the pod's object; ``restarts`` is the number this instance will have.
    """

    container: Container
    restarts: int
    network: PodNetwork
    facts: Facts
    sources: Sources
    volumes: VolumeFolders
    files: ContainerFiles
    report: Report
    dns: PodDns = field(default_factory=PodDns)

    @property
    def raw(self) -> Mapping[str, Any]:
        """The container as the pod's object has it."""
        return raw_container(self.facts.pod, self.container.name)


STDOUT, STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal, in characters."""

    columns: int
    rows: int


class Streams(Protocol):
    """The client's end of a command or of an attachment; ``node.streaming`` makes it.

    Nothing is kept in between: who writes waits until the client has room, and what is not read
    makes the client wait. When the client has gone, the call that was given the streams is
    cancelled, and what they raise is a ConnectionError.
    """

    @property
    def has_stdin(self) -> bool:
        """Whether the client sends input; without, the command reads an empty one."""

    @property
    def outputs(self) -> frozenset[int]:
        """Which of ``STDOUT`` and ``STDERR`` the client takes; a terminal has the first alone."""

    @property
    def is_terminal(self) -> bool:
        """Whether the command runs in a terminal of its own."""

    async def read(self) -> bytes:
        """The next input; empty once the client has ended it, and from then on."""

    async def write(self, data: bytes, stream: int = STDOUT) -> None:
        """Sends output; that of a stream the client does not take is dropped."""

    async def resized(self) -> Size:
        """The next size of the client's terminal, the first at once; waits for ever for none."""


class Instance(Protocol):
    """One running instance of a container."""

    @property
    def container_id(self) -> str:
        """The ``containerID`` of the status, scheme included."""

    @property
    def image_id(self) -> str:
        """The ``imageID`` of the status: repository and digest of what runs."""

    @property
    def handle(self) -> str:
        """What the runtime needs to find the instance again after a restart of the node."""

    @property
    def started_at(self) -> float:
        """When it was started, in seconds since the epoch."""

    async def wait(self) -> Exit:
        """Returns how it ended, once it has; any number of tasks may wait."""

    async def exec(self, command: Sequence[str], *, timeout: float) -> ExecResult:
        """Runs a command where the container runs: its environment, folder, files and network.

        After ``timeout`` seconds the command is killed. Raises StartError if it does not start.
        """

    async def stream(self, command: Sequence[str], streams: Streams) -> int:
        """Runs a command as ``exec`` does, for a client that talks with it; its exit code.

        Returns when the command has ended and its output is with the client. Cancelled, it ends
        the command and what that has started. Raises StartError if it does not start.
        """

    async def attach(self, streams: Streams) -> None:
        """Shows a client the output from now on, and gives its input to the container.

        Input and terminal are those that the container was started with (``stdin``, ``tty``); the
        end of the client's input is the container's where ``stdinOnce`` says so. Returns when the
        container has ended; cancelled, it lets go of it. Who does not keep up with the output is
        let go (a ConnectionError, maybe in a group), for the container waits for nobody.
        """

    def listening(self) -> Listening | None:
        """Where its programs take connections; None where that is not seen. From any thread."""

    def terminate(self) -> None:
        """Sends SIGTERM to all its processes; does nothing when it has ended."""

    def kill(self) -> None:
        """Sends SIGKILL to all its processes; does nothing when it has ended."""

    async def close(self, *, sweep: bool) -> None:
        """Frees what it held, after its end; the rest of its output is then in the log.

        ``sweep`` ends what it left behind as well. Without, that is left to ``Runtime.remove``.
        """


class Preparing(Protocol):
    """Makes containers of pods that are only to come, to the last step before their programs.

    Such a pod is prepared (``Runtime.prepare``) and removed as all are, by a uid that is nobody's.
    """

    def covers(self, pod: PodSpec) -> bool:
        """Whether that can be done for the containers of a pod, and is worth it."""

    async def make_ahead(self, request: StartRequest) -> None:
        """Makes the container that a start of this request will begin, if that still fits then.

        Nothing is pulled for it. Raises CreateError, StartError.
        """

    async def fits(self, request: StartRequest) -> bool:
        """Whether a container was made ahead and is what this request asks for now.

        The image that is at hand is meant, and the very files that are to be mounted.
        """

    def hand_over(self, uid: str, to: str) -> None:
        """The pod has come, and has a uid: what was made by that other one is its own."""


class Runtime(Protocol):
    """Runs containers. One object serves all pods of the node, on one event loop."""

    @property
    def version(self) -> str:
        """The node's ``containerRuntimeVersion``: a scheme and a version."""

    @property
    def preparing(self) -> Preparing | None:
        """What makes containers ahead; None where none has run yet or a start takes no time."""

    async def run(self, on_change: Callable[[], None]) -> None:
        """Does what the runtime has to do in the background, until cancelled.

        ``on_change`` is called when a start that failed may succeed now (an image has come).
        """

    async def prepare(self, pod: PodSpec, previous: PodNetwork) -> PodNetwork:
        """Makes what the containers of a pod share and returns where the pod is reached.

        May be called again for the same pod. ``previous`` is the network of an earlier run, to be
        given again where possible. Raises PrepareError.
        """

    async def bridge(self) -> Bridge | None:
        """The bridge of its containers, made if it is not there yet; None: they are processes."""

    async def start(self, request: StartRequest) -> Instance:
        """Starts a container of a prepared pod, and reports how it came to its image.

        One that was made ahead is begun, where it fits, and dropped where it does not.

        Raises CreateError or StartError; whatever else it raises is taken for a StartError.
        """

    async def adopt(self, request: StartRequest, record: Record) -> Instance | None:
        """The instance that a former node process started, if it runs and is as it should be.

        Called at the start of the node, before ``prepare``; the network of the request is the
        pod's from then on.
        """

    async def dial(self, uid: str, port: int) -> socket.socket:
        """A connection to a port of a prepared pod, as from inside the pod; it does not block.

        Raises OSError where nobody listens.
        """

    async def remove(self, uid: str) -> None:
        """Ends whatever is left of a pod and frees what ``prepare`` gave it."""

    async def sweep(self) -> int:
        """Ends all containers of this node that were neither started nor adopted by this object.

        Called after the adoptions, and at the end of the node; nothing is started meanwhile.
        Returns how many it ended.
        """

    def usage(self) -> Sequence[Usage]:
        """What the running containers use. May be called from any thread."""

    async def close(self) -> None:
        """Frees what this object holds, at the end of the node; containers are left alone."""
