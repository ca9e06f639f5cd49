"""``hearth up``: starts the stack, tells the user how to go on, keeps it running."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from hearth.cli import names, samples, stack
from hearth.cli.banner import banner, naming_options
from hearth.cli.errors import UserError
from hearth.cli.layout import Layout, prepare_layout
from hearth.cli.listeners import Listeners, shared_ports
from hearth.cli.roster import ComponentState, StartFailed
from hearth.cli.runtimes import UNDECIDED, Pods
from hearth.cli.state import is_running, process_start, read_state, write_state
from hearth.cli.supervisor import Supervisor
from hearth.observability.logs import configure_logging

_MAX_LOG_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the command line of ``hearth up`` says; a port of 0 asks for any free one."""

    data_dir: Path
    name: str
    host: str
    port: int
    api_port: int
    has_tls: bool
    tls_port: int | None
    """None: the usual one with TLS, any free one without."""
    detach: bool
    verbose: bool
    workers: int = 1
    pods: Pods = UNDECIDED
    isolate: bool = False
    has_nats: bool = False
    """Whether NATS JetStream is started beside the local log."""


def up(options: UpOptions) -> int:
    """Runs (or, detached, starts) one Hearth; returns the exit code."""
    began = time.monotonic()
    state = read_state(options.data_dir)
    if is_running(state):
        raise UserError(
            f"Hearth {options.name!r} runs already (process {state['pid']}); "
            f"`hearth status` shows it, `hearth down` stops it, --name starts another one"
        )
    if options.detach:
        return _detached(options, began)
    return _serve(options, began, sys.stdout)


def _detached(options: UpOptions, began: float) -> int:
    """Forks before anything is set up; the parent waits for the word of readiness."""
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.close(read_end)
        os.setsid()
        code = _in_background(options, began, write_end)
        os._exit(code)
    os.close(write_end)
    with os.fdopen(read_end) as told:
        for line in told:
            if line.startswith("READY"):
                return 0
            print(line, end="", flush=True, file=sys.stderr if _is_error(line) else sys.stdout)
    return 1


def _is_error(line: str) -> bool:
    return line.startswith("Error:")


def open_log(path: Path) -> BinaryIO:
    """The log of a detached Hearth; one that has grown large makes way for a new one."""
    if path.exists() and path.stat().st_size > _MAX_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return open(path, "ab", buffering=0)


def _in_background(options: UpOptions, began: float, told_fd: int) -> int:
    with os.fdopen(told_fd, "w") as told:
        try:
            options.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.umask(0o077)
            log = open_log(options.data_dir / "hearth.log")
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            return _serve(options, began, told)
        except UserError as error:
            print(f"Error: {error}", file=told, flush=True)
        except OSError as error:
            where = error.filename or options.data_dir
            print(f"Error: {where}: {error.strerror}", file=told, flush=True)
        return 1


def _lock(data_dir: Path) -> TextIO:
    """Held as long as this Hearth runs; another one on the same folder is told so."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = open(data_dir / "lock", "w")  # noqa: SIM115
    os.set_inheritable(lock.fileno(), False)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UserError(
            f"the state folder {data_dir} is locked by another Hearth that is starting or "
            f"stopping: wait for it, or choose another folder with --data-dir"
        ) from error
    return lock


def _serve(options: UpOptions, began: float, out: TextIO) -> int:
    configure_logging(level="INFO" if options.verbose else "WARNING")
    os.umask(0o077)  # events, logs and environments may hold secrets
    with _lock(options.data_dir):
        isolation = _isolation(options.data_dir) if options.isolate else ""
        layout = prepare_layout(
            options.data_dir,
            host=options.host,
            port=options.port,
            api_port=options.api_port,
            tls_port=options.tls_port,
            has_tls=options.has_tls,
            workers=options.workers,
            pods=options.pods,
            isolation=isolation,
            has_nats=options.has_nats,
        )
        names.note(options.name, options.data_dir)
        write_state(layout.data_dir, _state(options, layout, {}))  # `down` finds us from here on
        stack.prepare_credentials(layout)
        samples.register(layout)
        stack.preload()
        return _supervise(options, layout, began, out)


def _isolation(data_dir: Path) -> str:
    """How processes are isolated, in words; raises UserError where this machine does not let us."""
    from hearth.cluster.node.main import isolation_of
    from hearth.cluster.node.runtime.processes.isolation.isolation import CannotIsolate

    try:
        return isolation_of(data_dir).describe()
    except CannotIsolate as error:
        raise UserError(str(error)) from error


def _supervise(options: UpOptions, layout: Layout, began: float, out: TextIO) -> int:
    try:
        listeners = Listeners.of(layout, shared_ports(layout))
    except OSError as error:
        raise UserError(
            f"another program has taken a port of the gateway while Hearth started "
            f"({error.strerror}): start it again"
        ) from error

    def changed(components: dict[str, ComponentState]) -> None:
        listeners.follow(components)
        write_state(layout.data_dir, _state(options, layout, components))

    def ready() -> None:
        say(out, _banner(options, layout, time.monotonic() - began))
        if options.detach:
            say(out, "READY")
            out.close()

    supervisor = Supervisor(
        components=stack.components(layout, listeners),
        on_ready=ready,
        on_change=changed,
        while_starting=stack.preload_rest,
        log_level="INFO" if options.verbose else "WARNING",
    )
    try:
        supervisor.run()
    except StartFailed as error:
        where = f"its log says why: {layout.log_file}" if options.detach else "see the lines above"
        raise UserError(f"{error}; {where}") from error
    finally:
        with contextlib.suppress(OSError):  # a process that is gone counts as not running, too
            write_state(layout.data_dir, _state(options, layout, {}) | {"pid": 0})
    if not options.detach:
        print("Hearth has stopped.", file=out, flush=True)
    return 0


def say(out: TextIO, text: str) -> None:
    """Prints to somebody who may be gone, as with ``hearth up --detach | head -1``."""
    try:
        print(text, file=out, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _state(
    options: UpOptions, layout: Layout, components: dict[str, ComponentState]
) -> dict[str, object]:
    return {
        "name": options.name,
        "pid": os.getpid(),
        "started": process_start(os.getpid()),
        "kubeconfig": str(layout.kubeconfig),
        "gateway": layout.gateway,
        "host": layout.host,
        "pods": str(layout.pods),
        "engine": layout.pods.engine.kind if layout.pods.engine else None,
        "engineSocket": layout.pods.engine_socket,
        "api": f"https://{layout.host}:{layout.api_port}",
        "https": layout.gateway_by_tls if layout.has_tls else None,
        "authority": str(layout.authority) if layout.has_tls else None,
        "isolation": layout.isolation,
        "ports": layout.ports,
        "brokerAdminToken": layout.broker_admin_token,
        "statsToken": layout.stats_token,
        "pageSecret": layout.page_secret,
        "components": {name: state.pid for name, state in components.items() if state.pid},
        "health": {name: asdict(state) for name, state in components.items()},
    }


def _banner(options: UpOptions, layout: Layout, seconds: float) -> str:
    is_found = names.is_found(options.name, options.data_dir)
    return banner(
        layout,
        seconds=seconds,
        sample=samples.path("hello.yaml"),
        options=naming_options(options.name, options.data_dir, is_found=is_found),
        is_detached=options.detach,
    )
