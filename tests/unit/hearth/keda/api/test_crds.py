"""The CRDs are those of the models, and each field is what KEDA's CRDs say it is.

``facts.txt`` tells what keda (August 2026, with the patches of its config/crd) and http-add-on
(June 2026) serve: a line for each field, ``!`` where it is required, and what else is asked of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hearth.keda.api import crds, keys
from hearth.kube.crdgen import Crd, crd_object, files

FOLDER = Path(__file__).parents[5] / "crds" / "keda"
FACTS = Path(__file__).with_name("facts.txt").read_text().splitlines()
CRDS = {crd.kind: crd for crd in crds.CRDS}
SAME = {
    "ClusterTriggerAuthentication": "TriggerAuthentication",
    "ClusterCloudEventSource": "CloudEventSource",
}
NOT_UPSTREAM_YET = ("InterceptorRoute spec.coldStart",)
"""maxPendingRequests and overflow: the add-on's 0.16, as its reference documents them."""
CHECKED_BY_KUBERNETES = ("ScaledJob spec.jobTargetRef",)
"""The spec of a Job: admission has Kubernetes try one."""
_STRUCTURE = {"type", "properties", "items", "additionalProperties", "required", "description"}


def facts(schema: dict[str, Any], path: str, *, required: bool = False) -> Iterator[str]:
    """What a schema says of each field, a line for each."""
    asked = {key: schema[key] for key in sorted(set(schema) - _STRUCTURE)}
    rest = "".join(f" {key}={json.dumps(asked[key], sort_keys=True)}" for key in asked)
    yield f"{path}{'!' if required else ''}: {schema.get('type', 'any')}{rest}"
    for name, inner in sorted(schema.get("properties", {}).items()):
        needed = name in schema.get("required", ())
        yield from facts(inner, f"{path}.{name}", required=needed)
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(inner := schema.get(key), dict):
            yield from facts(inner, path + mark)


def all_facts(crd: dict[str, Any]) -> Iterator[str]:
    """All that a definition says of the fields, names and columns of its kind."""
    spec, version = crd["spec"], crd["spec"]["versions"][0]
    root, kind = version["schema"]["openAPIV3Schema"], spec["names"]["kind"]
    short = ",".join(spec["names"].get("shortNames", ()))
    yield (
        f"{kind}: {spec['names']['plural']}.{spec['group']}/{version['name']} {spec['scope']} "
        f"short={short} subresources={','.join(version['subresources'])}"
    )
    for column in version["additionalPrinterColumns"]:
        wide = " wide" if column.get("priority") else ""
        yield f"{kind} column {column['name']}: {column['type']} {column['jsonPath']}{wide}"
    for part in ("spec", "status"):
        needed = part in root.get("required", ())
        yield from facts(root["properties"][part], f"{kind} {part}", required=needed)


def upstream(kind: str) -> list[str]:
    """What the table has of a kind."""
    return [line for line in FACTS if line.startswith((f"{kind} ", f"{kind}:"))]


@pytest.mark.parametrize(("name", "text"), files(crds.CRDS).items())
def test_files_are_up_to_date(name: str, text: str) -> None:
    assert (FOLDER / name).read_text() == text, "run make crds"


@pytest.mark.parametrize("crd", crds.CRDS, ids=lambda crd: crd.kind)
def test_each_field_is_what_upstream_has(crd: Crd) -> None:
    ours = [line for line in all_facts(crd_object(crd)) if not line.startswith(_ACCEPTED)]
    theirs = [line for line in upstream(crd.kind) if not line.startswith(_ACCEPTED)]
    if crd.kind in SAME:
        model = SAME[crd.kind]
        theirs += [
            line.replace(model, crd.kind, 1)
            for line in upstream(model)
            if line.startswith((f"{model} spec", f"{model} status"))
        ]
    assert ours == theirs


_ACCEPTED = (*NOT_UPSTREAM_YET, *CHECKED_BY_KUBERNETES, "InterceptorRoute:")


def test_what_is_ours_alone_is_named() -> None:
    route = crd_object(CRDS["InterceptorRoute"])
    assert route["spec"]["names"]["shortNames"] == ["ir"]
    ours = {line for line in all_facts(route) if line.startswith(NOT_UPSTREAM_YET)}
    theirs = {line for line in upstream("InterceptorRoute") if line.startswith(NOT_UPSTREAM_YET)}
    assert {line.split(":")[0].rsplit(".", 1)[-1] for line in ours - theirs} == {
        "coldStart",
        "maxPendingRequests",
        "overflow",
    }


def test_every_resource_has_its_definition() -> None:
    named = {(each.group, each.plural, each.version) for each in keys.RESOURCES}
    assert named == {(crd.group, crd.plural, crd.versions[0].name) for crd in crds.CRDS}


@pytest.mark.parametrize("crd", crds.CRDS, ids=lambda crd: crd.kind)
def test_every_field_is_documented(crd: Crd) -> None:
    names = {
        line.partition(":")[0].rstrip("!").rpartition(".")[2].rstrip("[]{}")
        for line in all_facts(crd_object(crd))
        if line.startswith((f"{crd.kind} spec.", f"{crd.kind} status."))
    } - _OF_EVERY_CONDITION
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", DOCS)] == []


DOCS = (FOLDER.parents[1] / "docs" / "keda.md").read_text()
_OF_EVERY_CONDITION = {"lastTransitionTime", "message", "observedGeneration", "reason"}
