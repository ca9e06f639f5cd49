"""The samples: where they lie, and the images that ``hearth up`` registers."""

from __future__ import annotations

import sys
from dataclasses import replace
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

_OWN = {
    "hearth.dev/samples/hello": "hello/server.py",
    "hearth.dev/samples/events": "events/server.py",
    "hearth.dev/samples/worker": "worker/worker.py",
    "hearth.dev/samples/coffeeshop/counter": "coffeeshop/counter.py",
    "hearth.dev/samples/coffeeshop/barista": "coffeeshop/barista.py",
    "hearth.dev/samples/coffeeshop/board": "coffeeshop/board.py",
}
_STAND_INS = {  # for what Knative's own examples run, so that their YAML works as it stands
    "ghcr.io/knative/helloworld-go": "hello/server.py",
    "gcr.io/knative-samples/helloworld-go": "hello/server.py",
    "gcr.io/knative-releases/knative.dev/eventing/cmd/event_display": "events/server.py",
}


def register(layout: Layout) -> None:
    """Makes the images known; what the user registered under a name stays."""
    from hearth.cluster.node.images.store import STAND_IN, ImageSpec, ImageStore

    def sample(script: str, source: str) -> ImageSpec:
        command = (sys.executable, "-S", "-E", str(folder() / script))
        return ImageSpec(entrypoint=command, source=source)

    images = {name: sample(script, _SOURCE) for name, script in _OWN.items()}
    images |= {name: sample(script, STAND_IN) for name, script in _STAND_INS.items()}
    own, env = (sys.executable, "-m", "hearth.cli"), {"KUBECONFIG": str(layout.kubeconfig)}
    images[HEARTH_IMAGE] = ImageSpec(entrypoint=own, env=env, source=_SOURCE)
    store = ImageStore(layout.data_dir)
    for name, image in images.items():
        known = store.resolve(name)
        is_ours = known is None or known.source in (_SOURCE, STAND_IN)
        if is_ours and (known is None or replace(known, digest="") != image):
            store.add(name, image)
