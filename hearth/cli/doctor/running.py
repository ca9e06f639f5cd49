"""Looks at the Hearth of a state folder: whether it runs and answers, or could."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hearth.cli.doctor import verdicts
from hearth.cli.doctor.check import Check, fail, ok, warn
from hearth.cli.doctor.machine import kubectl_version
from hearth.cli.errors import UserError
from hearth.cli.layout import is_free
from hearth.cli.state import is_running, read_state

_SECONDS = 2.0
_USUAL = {"gateway": 8080, "gateway-tls": 8443}


def checks(data_dir: Path) -> Iterator[Check]:
    """Give those about its processes and ports, and kubectl's version."""
    try:
        state = read_state(data_dir)
    except UserError as error:
        yield fail("hearth", str(error), f"rm {data_dir}/state.json && hearth up")
        return
    if is_running(state):
        yield ok("hearth", f"{state['name']} runs (process {state['pid']})")
        yield from _answers(state)
    else:
        yield from _dead(state, data_dir)
        yield from _free_ports(state)
    yield verdicts.kubectl(kubectl_version(), server_version())


def server_version() -> str:
    """Return the version that the API of this machine says it is."""
    from hearth.cluster.rest.handlers.information import GIT_VERSION

    return GIT_VERSION


def _answers(state: Mapping[str, Any]) -> Iterator[Check]:
    for what in ("gateway", "api"):
        port = int(state["ports"].get(what, 0))
        name = f"{what} port"
        try:
            socket.create_connection((state.get("host", "127.0.0.1"), port), _SECONDS).close()
        except OSError as error:
            found = f"{port} does not answer: {error.strerror or error}"
            yield fail(name, found, "hearth status says which process is in trouble")
        else:
            yield ok(name, f"{port} answers")


def _dead(state: Mapping[str, Any], data_dir: Path) -> Iterator[Check]:
    """A Hearth that was told to end has written that it is gone."""
    if not state.get("pid"):
        yield ok("hearth", "does not run" if state else "was never started here")
        return
    alive = [pid for pid in state.get("components", {}).values() if _is_ours(pid)]
    found = f"process {state['pid']} is gone and has not said why: it was killed, or the machine"
    text = "hearth up goes on from what is stored; nothing acknowledged is lost"
    if alive:
        text = f"these of it still run and will end: {', '.join(map(str, alive))}; then {text}"
    yield warn("hearth", found, text)


def _is_ours(pid: int) -> bool:
    try:
        return b"hearth" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _free_ports(state: Mapping[str, Any]) -> Iterator[Check]:
    host, known = state.get("host", "127.0.0.1"), state.get("ports", {})
    for what, usual in _USUAL.items():
        port = int(known.get(what) or usual)
        name = f"{what.replace('gateway-tls', 'https')} port"
        if is_free(host, port):
            yield ok(name, f"{port} is free")
        else:
            option = "--tls-port" if what == "gateway-tls" else "--port"
            text = f"hearth up {option} 0 takes a free one; ss -ltnp says who has it"
            yield warn(name, f"{port} is in use by another program", text)
