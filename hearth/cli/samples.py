"""The samples: where they lie, and the images that ``hearth up`` registers for them."""

from __future__ import annotations

import sys
from pathlib import Path

from hearth.cli.state import Layout

_HERE = Path(__file__).resolve()


def folder() -> Path:
    """``samples/`` of a checkout, or the copy inside an installed package."""
    checkout = _HERE.parents[2] / "samples"
    return checkout if checkout.is_dir() else _HERE.parents[1] / "_data" / "samples"


def path(name: str) -> Path:
    """A sample's path, relative to the working folder where that is shorter."""
    found = folder() / name
    try:
        return found.relative_to(Path.cwd())
    except ValueError:
        return found


IMAGES = {
    "hearth.dev/samples/hello": "hello/server.py",
    "hearth.dev/samples/events": "events/server.py",
}


def register(layout: Layout) -> None:
    """Makes the sample images known; what the user registered under a name stays."""
    from hearth.cluster.node.images import ImageStore

    store = ImageStore(layout.data_dir / "images.json")
    for name, script in IMAGES.items():
        if store.resolve(name) is None:
            store.add(name, [sys.executable, "-S", "-E", str(folder() / script)])
