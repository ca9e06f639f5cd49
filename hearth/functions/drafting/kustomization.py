"""A kustomize base of objects, and an overlay beside it where a deployment says what is its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hearth.functions.drafting.parameters import file_of, without_values
from hearth.kube.meta import Object
from hearth.kube.yamltext import dumped

_HEAD = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
_HINT = """\
# What differs here from the base. For example:
# patches:
#   - target: {kind: Service, name: NAME}
#     patch: |
#       - op: add
#         path: /spec/template/metadata/annotations/autoscaling.knative.dev~1min-scale
#         value: "1"
"""


def kustomize_files(objects: Sequence[Object]) -> dict[str, str]:
    """Return the files by their paths: ``base``, and ``overlays/production`` over it."""
    files = {}
    for obj in objects:
        shown = without_values(obj) if obj["kind"] == "Secret" else obj
        files[file_of(obj)] = dumped(shown)
    overlay: dict[str, Any] = {**_HEAD, "resources": ["../../base"]}
    images = [_image(text) for text in dict.fromkeys(_images(objects))]
    titles = [each["name"] for each in images]
    # An entry is for all images of its name: where these differ, it would make them the same.
    overlay["images"] = [each for each in images if titles.count(each["name"]) == 1]
    if not overlay["images"]:
        del overlay["images"]
    return {
        "base/kustomization.yaml": dumped({**_HEAD, "resources": list(files)}),
        **{f"base/{file}": text for file, text in files.items()},
        "overlays/production/kustomization.yaml": dumped(overlay) + _HINT,
    }


def _images(objects: Sequence[Object]) -> Iterator[str]:
    for obj in objects:
        pod = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
        for container in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
            if container.get("image"):
                yield str(container["image"])


def _image(text: str) -> dict[str, str]:
    """An image as an entry of ``images``, which changes nothing until somebody edits it."""
    title, _, digest = text.partition("@")
    title, tag = title.rsplit(":", 1) if ":" in title.rpartition("/")[2] else (title, "")
    if digest:
        return {"name": title, "digest": digest}
    return {"name": title, "newTag": tag} if tag else {"name": title, "newName": title}


def manifest_text(objects: Sequence[Object]) -> str:
    """Return objects as one file; Secrets have placeholders."""
    shown = [without_values(obj) if obj["kind"] == "Secret" else obj for obj in objects]
    return "---\n".join(dumped(obj) for obj in shown)
