"""The samples: where they lie, and the images that ``hearth up`` registers for them."""

from __future__ import annotations

import sys
from pathlib import Path

from hearth.cli.layout import Layout

_HERE = Path(__file__).resolve()


def folder() -> Path:
    """``samples/`` of a checkout, or the copy inside an installed package."""
    checkout = _HERE.parents[2] / "samples"
    return checkout if checkout.is_dir() else _HERE.parents[1] / "_data" / "samples"


def path(name: str) -> Path:
    """A sample's path, relative to the working folder where that is shorter."""
    sample = folder() / name
    try:
        return sample.relative_to(Path.cwd())
    except ValueError:
        return sample


_SOURCE = "hearth samples"
"""Marks the images registered here, so that they follow a checkout that moved."""

IMAGES = {
    "hearth.dev/samples/hello": "hello/server.py",
    "hearth.dev/samples/events": "events/server.py",
    # What Knative's own examples run, so that their YAML works as it stands.
    "ghcr.io/knative/helloworld-go": "hello/server.py",
    "gcr.io/knative-samples/helloworld-go": "hello/server.py",
    "gcr.io/knative-releases/knative.dev/eventing/cmd/event_display": "events/server.py",
}


def register(layout: Layout) -> None:
    """Makes the sample images known; what the user registered under a name stays."""
    from hearth.cluster.node.images.store import ImageSpec, ImageStore

    store = ImageStore(layout.data_dir)
    for name, script in IMAGES.items():
        known = store.resolve(name)
        command = (sys.executable, "-S", "-E", str(folder() / script))
        if known is None or (known.source == _SOURCE and known.entrypoint != command):
            store.add(name, ImageSpec(entrypoint=command, source=_SOURCE))
