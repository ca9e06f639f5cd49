"""The state folder of one Hearth: where things lie, which ports are taken, what runs.

Written by ``hearth up``, read by every other command.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INTERNAL_PORTS = ("internal", "webhook", "stats", "broker")
COMPONENTS = ("api", "cluster", "control", "activator", "broker")


class StateError(Exception):
    """Something about the state folder that the user can put right; the text says how."""


def default_data_dir(name: str) -> Path:
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "hearth" / name


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths and ports of one Hearth."""

    data_dir: Path
    host: str
    port: int
    api_port: int
    ports: dict[str, int]
    """Internal listeners by purpose, and ``metrics-COMPONENT`` for each component."""
    stats_token: str

    @property
    def kubeconfig(self) -> Path:
        return self.data_dir / "kubeconfig"

    @property
    def gateway(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.data_dir / "hearth.log"


def state_file(data_dir: Path) -> Path:
    return data_dir / "state.json"


def read_state(data_dir: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(state_file(data_dir).read_text())
        _check(found)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        path = state_file(data_dir)
        raise StateError(f"{path} is damaged ({error}): delete it, then `hearth up`") from error
    return found


def _check(found: object) -> None:
    """What commands rely on; the file lies where anybody may edit it."""
    if not isinstance(found, dict) or not isinstance(found.get("pid", 0), int):
        raise ValueError("no process id")
    for field in ("ports", "components"):
        entries = found.get(field, {})
        if not isinstance(entries, dict) or not all(isinstance(n, int) for n in entries.values()):
            raise ValueError(f"{field} are no numbers by name")


def write_state(data_dir: Path, state: dict[str, Any]) -> None:
    """Replaces the file as a whole, so that readers never see half of it."""
    target = state_file(data_dir)
    fresh = target.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(state, file, indent=1)
    fresh.replace(target)


def is_running(state: dict[str, Any]) -> bool:
    """Whether the supervisor of this state is alive (and not another process of its number)."""
    pid = int(state.get("pid", 0))
    return pid > 0 and process_start(pid) == state.get("started")


def process_start(pid: int) -> str | None:
    """What tells one process from a later one with the same number; None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def prepare_layout(data_dir: Path, *, host: str, port: int, api_port: int) -> Layout:
    """Chooses ports: those of the last time where they are still free, so that URLs last."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateError(f"cannot make the state folder {data_dir}: {error.strerror}") from error
    before = read_state(data_dir)
    known: dict[str, int] = before.get("ports", {})
    taken: set[int] = set()
    gateway = (
        _wanted_port(host, port, "--port", taken) if port else _port(host, known, "gateway", taken)
    )
    if api_port:
        api = _wanted_port(host, api_port, "--api-port", taken)
    else:
        api = _port(host, known, "api", taken)
    names = (*INTERNAL_PORTS, *(f"metrics-{name}" for name in COMPONENTS))
    ports = {name: _port(host, known, name, taken) for name in names}
    return Layout(
        data_dir=data_dir,
        host=host,
        port=gateway,
        api_port=api,
        ports=ports | {"gateway": gateway, "api": api},
        stats_token=secrets.token_urlsafe(24),
    )


def _wanted_port(host: str, port: int, option: str, taken: set[int]) -> int:
    if not _is_free(host, port):
        raise StateError(
            f"port {port} is in use by another program: choose another one with {option} "
            f"(0 takes any free one)"
        )
    taken.add(port)
    return port


def _port(host: str, known: dict[str, int], name: str, taken: set[int]) -> int:
    remembered = known.get(name)
    if remembered and remembered not in taken and _is_free(host, remembered):
        taken.add(remembered)
        return remembered
    while True:
        with socket.socket() as probe:
            probe.bind((host, 0))
            found = int(probe.getsockname()[1])
        if found not in taken:
            taken.add(found)
            return found


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
