"""Databases and queues of Debian and npm, for tests of the scalers that read them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.component.keda.servers import listening, process, program
from tests.ports import free_port, free_ports

USER, PASSWORD, DATABASE = "worker", "hunter2/@:x", "jobs"
_NOBODY = 65534
_DEBIANS = ("/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/15/bin", "/usr/sbin")


@contextlib.contextmanager
def _own_folder() -> Iterator[tuple[Path, list[str]]]:
    """A folder of a user who is not root, and how commands are run as that user."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        prefix: list[str] = []
        if os.geteuid() == 0:
            os.chown(name, _NOBODY, _NOBODY)
            ids = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}"]
            prefix = [program("setpriv"), *ids, "--clear-groups"]
        yield Path(name), prefix


class Stoppable:
    """A server on one port that can be stopped and started again."""

    def __init__(
        self, command: list[str], port: int, folder: Path, ready: Callable[[], bool] | None = None
    ) -> None:
        self.port, self._command, self._folder = port, command, folder
        self._ready = ready or listening(port)
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        running = process(*self._command, ready=self._ready, folder=self._folder)
        self._stack.enter_context(running)

    def stop(self) -> None:
        self._stack.close()


@contextlib.contextmanager
def _running(
    command: list[str], port: int, folder: Path, ready: Callable[[], bool] | None = None
) -> Iterator[Stoppable]:
    server = Stoppable(command, port, folder, ready)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def postgres() -> Iterator[Stoppable]:
    """A PostgreSQL with a user and a database, which asks for the password."""
    initdb, server = program("initdb", *_DEBIANS), program("postgres", *_DEBIANS)
    with _own_folder() as (folder, run_as):
        word = folder / "word"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        made = ["-D", str(folder / "data"), "-U", USER, "--auth=scram-sha-256", f"--pwfile={word}"]
        _ran([*run_as, initdb, *made, "--no-sync", "--no-instructions"], folder)
        port = free_port()
        at = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
        command = [*run_as, server, "-D", str(folder / "data"), *at]
        asked = [program("pg_isready", *_DEBIANS), "-h", "127.0.0.1", "-p", str(port)]

        def is_ready() -> bool:
            return subprocess.run(asked, capture_output=True).returncode == 0

        with _running(command, port, folder, is_ready) as running:
            yield running


@contextlib.contextmanager
def mariadb() -> Iterator[Stoppable]:
    """A MariaDB with a user and a database."""
    install, server = program("mariadb-install-db"), program("mariadbd", *_DEBIANS)
    with _own_folder() as (folder, run_as):
        port, data = free_port(), str(folder / "data")
        grants = folder / "grants.sql"
        grants.write_text(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
            f"CREATE USER IF NOT EXISTS {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1';\n"
        )
        grants.chmod(0o644)
        common = ["--no-defaults", f"--datadir={data}"]
        _ran(
            [
                *run_as,
                install,
                *common,
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ],
            folder,
        )
        options = [
            f"--port={port}",
            f"--socket={folder / 'socket'}",
            f"--init-file={grants}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        with _running([*run_as, server, *common, *options], port, folder) as running:
            yield running


def _ran(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def clickhouse() -> Iterator[Stoppable]:
    """A ClickHouse with a user, whose protocol is its own."""
    server = program("clickhouse-server", *_DEBIANS)
    with _own_folder() as (folder, run_as):
        port, users, settings = free_port(), folder / "users.xml", folder / "config.xml"
        users.write_text(
            "<yandex><profiles><default/></profiles><quotas><default/></quotas><users>"
            f"<{USER}><password>{PASSWORD}</password><networks><ip>127.0.0.1</ip></networks>"
            f"<profile>default</profile><quota>default</quota></{USER}></users></yandex>"
        )
        settings.write_text(
            "<yandex><logger><level>warning</level><console>1</console></logger>"
            f"<tcp_port>{port}</tcp_port><listen_host>127.0.0.1</listen_host>"
            f"<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>"
            f"<users_config>{users}</users_config><default_profile>default</default_profile>"
            "<default_database>default</default_database>"
            "<mark_cache_size>5368709</mark_cache_size></yandex>"
        )
        command = [*run_as, server, f"--config-file={settings}"]
        with _running(command, port, folder) as running:
            yield running


@contextlib.contextmanager
def etcd(folder: Path, port: int = 0) -> Iterator[Stoppable]:
    """An etcd of one member."""
    port, peers = port or free_port(), free_port()
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    options = {
        "data-dir": folder / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "unsafe-no-fsync": "true",
        "experimental-watch-progress-notify-interval": "1s",
    }
    command = [program("etcd"), *(f"--{name}={value}" for name, value in options.items())]
    with _running(command, port, folder) as running:
        yield running


@contextlib.contextmanager
def beanstalkd(folder: Path) -> Iterator[Stoppable]:
    """A beanstalkd."""
    port = free_port()
    command = [program("beanstalkd", *_DEBIANS), "-l", "127.0.0.1", "-p", str(port)]
    with _running(command, port, folder) as running:
        yield running


@contextlib.contextmanager
def mongodb(folder: Path, *options: object) -> Iterator[Stoppable]:
    """SecantusDB, a server that speaks MongoDB's protocol."""
    port = free_port()
    command = [program("secantusd-py"), "--port", str(port), "--storage-path", str(folder / "data")]
    with _running([*command, "--cache-size", "64M", *map(str, options)], port, folder) as running:
        yield running


@contextlib.contextmanager
def azurite(folder: Path) -> Iterator[tuple[int, int]]:
    """Azure's emulator of its storage (npm), of blobs and of queues; their ports."""
    own = Path(__file__).parents[3] / ".venv" / "azurite" / "node_modules" / ".bin"
    command, (blobs, queues, tables) = program("azurite", own), free_ports(3)
    options = {"blobPort": blobs, "queuePort": queues, "tablePort": tables, "location": folder}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with process(
        command,
        *arguments,
        "--silent",
        "--disableTelemetry",
        ready=listening(blobs, queues),
        folder=folder,
    ):
        yield blobs, queues
