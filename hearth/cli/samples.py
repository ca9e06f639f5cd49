"""The samples: where they lie, and the images that ``hearth up`` registers."""

from __future__ import annotations

import sys
from pathlib import Path

from hearth.cli.layout import HEARTH_IMAGE, Layout

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
    "hearth.dev/samples/worker": "worker/worker.py",
    # What Knative's own examples run, so that their YAML works as it stands.
    "ghcr.io/knative/helloworld-go": "hello/server.py",
    "gcr.io/knative-samples/helloworld-go": "hello/server.py",
    "gcr.io/knative-releases/knative.dev/eventing/cmd/event_display": "events/server.py",
}


def register(layout: Layout) -> None:
    """Makes the images known; what the user registered under a name stays."""
    from hearth.cluster.node.images.store import ImageSpec, ImageStore

    store = ImageStore(layout.data_dir)
    commands: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
        name: ((sys.executable, "-S", "-E", str(folder() / script)), {})
        for name, script in IMAGES.items()
    }
    own = (sys.executable, "-m", "hearth.cli")
    commands[HEARTH_IMAGE] = own, {"KUBECONFIG": str(layout.kubeconfig)}
    for name, (command, env) in commands.items():
        known = store.resolve(name)
        is_other = known is None or (known.entrypoint, dict(known.env)) != (command, env)
        if is_other and (known is None or known.source == _SOURCE):
            store.add(name, ImageSpec(entrypoint=command, env=env, source=_SOURCE))
