"""Looks for what Hearths that do not run have left: networks, rules, containers."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from hearth.cli import names
from hearth.cli.doctor.check import Check, ok, warn
from hearth.cli.errors import UserError
from hearth.cli.state import is_running, read_state

_SECONDS = 5.0
_NETWORKS = Path("/run/hearth")
_DEVICES = Path("/sys/class/net")
_NODE = re.compile(r"dev\.hearth\.node[=:]([0-9a-f]{16})")
_ADVICE = (
    "the next start on its folder takes them over; of a folder that is gone: remove them, a start "
    "as root removes networks"
)


def checks(data_dir: Path) -> Iterator[Check]:
    """Give one each for networks and for containers."""
    from hearth.cluster.node.main import node_id_of

    living = {node_id_of(folder) for folder in _folders(data_dir) if _lives(folder)}
    networks = left_networks({*_interfaces(), *_tables()}, living)
    containers = left_containers("\n".join(_containers()), living)
    for name, left in (("networks", networks), ("containers left", containers)):
        if left:
            yield warn(name, f"of Hearths that do not run: {', '.join(left)}", _ADVICE)
        else:
            yield ok(name, "none of a Hearth that does not run")


def left_networks(found: Iterable[str], living: Iterable[str]) -> list[str]:
    """Return the bridges and tables that belong to none of the living nodes."""
    known = {f"hearth-{hashlib.sha256(node.encode()).hexdigest()[:8]}" for node in living}
    return sorted(each for each in found if each.startswith("hearth-") and each not in known)


def left_containers(labels: str, living: Iterable[str]) -> list[str]:
    """Return how many containers there are of each node that does not live, by their labels."""
    nodes = [node for node in _NODE.findall(labels) if node not in set(living)]
    return [f"{nodes.count(node)} of node {node}" for node in sorted(set(nodes))]


def _folders(data_dir: Path) -> Iterator[Path]:
    """All that are known: this one, those of names, those that networks tell of."""
    yield data_dir
    yield from names.known()
    for owner in _NETWORKS.glob("*/owner") if _NETWORKS.is_dir() else ():
        try:
            yield Path(owner.read_text().partition("\n")[2])
        except OSError:
            continue


def _lives(folder: Path) -> bool:
    try:
        return is_running(read_state(folder))
    except (UserError, OSError):
        return False


def _interfaces() -> set[str]:
    return {path.name for path in _DEVICES.glob("hearth-*")} if _DEVICES.is_dir() else set()


def _tables() -> set[str]:
    """Tables of nft, which only root may list."""
    return {line.split()[-1] for line in _lines("nft", "list", "tables")}


def _containers() -> Iterator[str]:
    for engine in ("podman", "docker"):
        yield from _lines(
            engine, "ps", "-a", "--filter", "label=dev.hearth.node", "--format", "{{.Labels}}"
        )


def _lines(program: str, *arguments: str) -> list[str]:
    """What a program prints; nothing where it is not there, fails or does not end."""
    path = shutil.which(program)
    if path is None:
        return []
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line for line in done.stdout.splitlines() if line]
