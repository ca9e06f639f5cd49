"""What is to be installed: overlays and values, and the objects they give.

The choice is kept in the cluster, in the ConfigMap ``hearth-install``, so that an upgrade without
options goes on with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from hearth.install import values
from hearth.install.kustomize import KustomizeError, is_component, render
from hearth.install.order import HEARTH, PART_OF, ordered
from hearth.install.valueschecks import check
from hearth.kube.meta import Object

NAMESPACE = "knative-serving"
RECORD = "hearth-install"
NO_OVERLAY = "none"
"""Says that there is to be no overlay, where there was one before."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Overlays by name or folder, and the values laid over what they give."""

    overlays: Sequence[str] = ()
    values: values.Values = field(default_factory=dict)


def objects_of(config: Path, choice: Choice) -> list[Object]:
    """Return the objects of a choice, in the order in which they are applied."""
    base, components = config / "base", list[Path]()
    for overlay in choice.overlays:
        if overlay == NO_OVERLAY:
            continue
        named = config / "components" / overlay
        folder = named if named.is_dir() else Path(overlay)
        if not folder.is_dir():
            there = ", ".join(sorted(path.name for path in (config / "components").iterdir()))
            raise KustomizeError(f"there is no overlay {overlay}: name a folder, or {there}")
        if is_component(folder):
            components.append(folder)
        elif base != config / "base":
            raise KustomizeError(f"{base} and {folder} are whole kustomizations: name one of them")
        else:
            base = folder
    objects = render(base, components)
    check(values.values_of(objects), choice.values)
    return ordered(values.apply_values(objects, choice.values))


def record(choice: Choice, version: str) -> Object:
    """Return the ConfigMap that keeps a choice."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": RECORD, "namespace": NAMESPACE, "labels": {PART_OF: HEARTH}},
        "data": {
            "overlays": yaml.safe_dump(list(choice.overlays)),
            "values": yaml.safe_dump(dict(choice.values)),
            "version": version,
        },
    }


def recorded(obj: Object | None, version: str) -> Choice:
    """Return the choice that a ConfigMap keeps; nothing chosen where there is none.

    An image that was tagged with the version that chose it is that of ``version`` now.
    """
    data = (obj or {}).get("data") or {}
    overlays = yaml.safe_load(data.get("overlays") or "[]")
    chosen = values.parse(data.get("values", ""), source=RECORD)
    image, last = str(chosen.get("image") or ""), data.get("version", "")
    if last and image.endswith(f":{last}"):
        chosen["image"] = f"{image.removesuffix(last)}{version}"
    return Choice(tuple(overlays), chosen)


def laid_over(below: Choice, above: Choice) -> Choice:
    """Return a choice that goes on with another one: overlays are replaced, values laid over."""
    return Choice(above.overlays or below.overlays, values.merged(below.values, above.values))
