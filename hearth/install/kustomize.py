"""Renders kustomizations, so that nobody needs kustomize to install Hearth.

What ``config/`` uses of kustomize is understood: resources, components, JSON patches, labels and
images. A field beyond that is refused by name, never ignored; a test holds the result against
``kubectl kustomize``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from hearth.kube.meta import Object, name, namespace
from hearth.kube.patch import PatchError, json_patch

_FILE = "kustomization.yaml"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HEAD = frozenset({"apiVersion", "kind", "metadata"})


class KustomizeError(Exception):
    """A kustomization that cannot be rendered; the text says where and why."""


def render(folder: Path, components: Sequence[Path] = ()) -> list[Object]:
    """Return the objects of a kustomization with components laid over it, in their order."""
    objects = _render(folder)
    for component in components:
        objects = _transformed(objects, component, _read(component))
    return objects


def is_component(folder: Path) -> bool:
    """Whether the folder holds a component, that is nothing without a kustomization below it."""
    return bool(_read(folder).get("kind") == "Component")


def _render(folder: Path) -> list[Object]:
    return _transformed([], folder, _read(folder))


def _read(folder: Path) -> Mapping[str, Any]:
    path = folder / _FILE
    try:
        content = yaml.load(path.read_bytes(), Loader=_LOADER)
    except FileNotFoundError as error:
        raise KustomizeError(f"there is no {path}") from error
    except yaml.YAMLError as error:
        raise KustomizeError(f"{path}: {error}") from error
    if not isinstance(content, Mapping):
        raise KustomizeError(f"{path}: not a kustomization")
    return content


def _transformed(below: list[Object], folder: Path, content: Mapping[str, Any]) -> list[Object]:
    unknown = content.keys() - _HEAD - {"resources", "components"} - _TRANSFORMERS.keys()
    if unknown:
        raise KustomizeError(
            f"{folder / _FILE}: {', '.join(sorted(unknown))} is not understood here; "
            f"render it with `kubectl kustomize {folder}` and apply that"
        )
    objects = [*below]
    for resource in content.get("resources") or ():
        objects += _resource(folder / resource)
    for component in content.get("components") or ():
        objects = _transformed(objects, folder / component, _read(folder / component))
    _check_unique(objects, folder)
    for field, transform in _TRANSFORMERS.items():
        for entry in content.get(field) or ():
            objects = transform(objects, entry, folder)
    return objects


def _resource(path: Path) -> list[Object]:
    if path.is_dir():
        return _render(path)
    try:
        documents = yaml.load_all(path.read_bytes(), Loader=_LOADER)
        # Aliases are shared values to PyYAML; every object has its own.
        return [deepcopy(document) for document in documents if document]
    except (OSError, yaml.YAMLError) as error:
        raise KustomizeError(f"{path}: {error}") from error


def _check_unique(objects: Sequence[Object], folder: Path) -> None:
    seen: set[tuple[str, ...]] = set()
    for obj in objects:
        identity = (str(obj.get("apiVersion")), str(obj.get("kind")), namespace(obj), name(obj))
        if identity in seen:
            raise KustomizeError(f"{folder / _FILE}: {'/'.join(identity)} is there twice")
        seen.add(identity)


# -- transformers, in kustomize's order ------------------------------------------------------------


def _patch(objects: list[Object], entry: Mapping[str, Any], folder: Path) -> list[Object]:
    text = entry.get("patch") or (folder / str(entry.get("path", ""))).read_text()
    operations, target = yaml.load(text, Loader=_LOADER), entry.get("target")
    if not isinstance(operations, list) or not isinstance(target, Mapping):
        raise KustomizeError(f"{folder / _FILE}: only JSON patches with a target are understood")
    matching = [obj for obj in objects if _is_target(obj, target)]
    if not matching:
        raise KustomizeError(f"{folder / _FILE}: a patch finds no {dict(target)}")
    try:
        return [json_patch(obj, operations) if obj in matching else obj for obj in objects]
    except PatchError as error:
        raise KustomizeError(f"{folder / _FILE}: {dict(target)}: {error}") from error


def _is_target(obj: Object, target: Mapping[str, Any]) -> bool:
    actual = {
        "kind": str(obj.get("kind")),
        "name": name(obj),
        "namespace": namespace(obj),
        "group": str(obj.get("apiVersion")).rpartition("/")[0],
        "version": str(obj.get("apiVersion")).rpartition("/")[2],
    }
    unknown = target.keys() - actual.keys()
    if unknown:
        raise KustomizeError(f"a patch's target by {', '.join(sorted(unknown))} is not understood")
    return all(re.fullmatch(str(text), actual[field]) for field, text in target.items())


def _label(objects: list[Object], entry: Mapping[str, Any], folder: Path) -> list[Object]:
    if entry.keys() != {"pairs"}:
        raise KustomizeError(f"{folder / _FILE}: only labels of objects, by pairs, are understood")
    return [_with_labels(obj, entry["pairs"]) for obj in objects]


def _with_labels(obj: Object, pairs: Mapping[str, str]) -> Object:
    metadata = obj.get("metadata") or {}
    return obj | {"metadata": metadata | {"labels": (metadata.get("labels") or {}) | dict(pairs)}}


def _image(objects: list[Object], entry: Mapping[str, Any], _folder: Path) -> list[Object]:
    for obj in objects:
        pod = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
        for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
            container["image"] = _renamed(str(container.get("image", "")), entry)
    return objects


def _renamed(image: str, entry: Mapping[str, Any]) -> str:
    title, _, digest = image.partition("@")
    title, tag = title.rsplit(":", 1) if ":" in title.rpartition("/")[2] else (title, "")
    if title != entry["name"]:
        return image
    title = str(entry.get("newName") or title)
    if entry.get("digest"):
        return f"{title}@{entry['digest']}"
    if entry.get("newTag"):
        return f"{title}:{entry['newTag']}"
    return title + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


_Transformer = Callable[[list[Object], Mapping[str, Any], Path], list[Object]]
_TRANSFORMERS: Mapping[str, _Transformer] = {"patches": _patch, "labels": _label, "images": _image}
