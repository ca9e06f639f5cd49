"""Where a Hearth's images for containers are: its own store, or an engine."""

from __future__ import annotations

from pathlib import Path

from hearth.cli.containerimages import Place
from hearth.cli.runtimes import Runtime, choose
from hearth.cli.state import is_running, read_state


def place_of(data_dir: Path) -> Place | None:
    """Where the Hearth of a folder looks for images, or the next there would.

    An engine's are also those that others have brought there. None where pods are processes.
    """
    if is_running(read_state(data_dir)):
        return place_at_hand(data_dir)
    engine = choose(Runtime.AUTO).engine
    return None if engine is None else _place(data_dir, engine.kind, engine.socket)


def place_at_hand(data_dir: Path) -> Place | None:
    """The same for the Hearth that runs; where none does, Hearth's own store."""
    state = read_state(data_dir)
    kind, socket = ("runc", "")
    if is_running(state):
        kind, socket = state.get("engine") or "", state.get("engineSocket") or ""
    return _place(data_dir, kind, socket)


def _place(data_dir: Path, kind: str, socket: str) -> Place | None:
    if kind in ("runc", "crun"):
        from hearth.cli.storeimages import StorePlace

        return StorePlace(data_dir / "containers")
    path = Path(socket or data_dir / "run/podman.sock")
    if not kind or not path.is_socket():
        return None
    from hearth.cli.engineimages import EnginePlace
    from hearth.cluster.node.runtime.engine.used import USED_IMAGES

    return EnginePlace(kind, path, data_dir / USED_IMAGES)
