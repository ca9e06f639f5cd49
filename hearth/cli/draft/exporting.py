"""``hearth export``: what runs, as files for Helm, kustomize or kubectl."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hearth.cli.access import access_of_either
from hearth.cli.draft.cluster import exportable
from hearth.cli.draft.kinds import Kinds
from hearth.cli.draft.localimages import with_images
from hearth.cli.draft.unbinding import unbound
from hearth.cli.draft.writing import write_files
from hearth.cli.errors import UserError
from hearth.functions.deploying.settings import SettingsError, service_name
from hearth.functions.detection.application import DetectionError
from hearth.functions.drafting.chart import chart_files
from hearth.functions.drafting.cleaning import smallest
from hearth.functions.drafting.exporting import (
    Chosen,
    ExportError,
    by_labels,
    exported,
    portable,
)
from hearth.functions.drafting.kustomization import kustomize_files, manifest_text
from hearth.functions.drafting.parameters import PLACEHOLDER
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object
from hearth.kube.selectors import parse_label_selector

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the command line of ``hearth export`` says."""

    names: Sequence[str]
    selector: str | None
    namespace: str
    helm: Path | None
    kustomize: Path | None
    manifests: str | None
    registry: str | None
    force: bool
    data_dir: Path
    kubeconfig: Path | None


def run_export(options: ExportOptions) -> int:
    """Write the files; return the exit code; raise UserError with what to do."""
    targets = [each for each in (options.helm, options.kustomize, options.manifests) if each]
    if len(targets) != 1:
        raise UserError("say what to write: one of --helm DIR, --kustomize DIR, --manifests FILE|-")
    try:
        objects, told = asyncio.run(_objects(options))
        _write(options, objects)
    except ApiError as error:
        raise UserError(error.message) from error
    except (DetectionError, ExportError, SettingsError) as error:
        raise UserError(str(error)) from error
    for line in told:
        print(f"note: {line}", file=sys.stderr)
    return 0


def _write(options: ExportOptions, objects: Sequence[Object]) -> None:
    if options.helm is not None:
        title = service_name(options.helm.absolute().name)
        write_files(options.helm, chart_files(title, objects), force=options.force)
        _say(options.helm, objects, f"helm install {title} {options.helm}")
    elif options.kustomize is not None:
        write_files(options.kustomize, kustomize_files(objects), force=options.force)
        overlay = options.kustomize / "overlays" / "production"
        _say(options.kustomize, objects, f"kubectl apply -k {overlay}")
    elif options.manifests == STDOUT:
        print(manifest_text(objects), end="")
    elif options.manifests is not None:
        path = Path(options.manifests)
        write_files(path.parent, {path.name: manifest_text(objects)}, force=options.force)
        _say(path, objects, f"kubectl apply -f {path}")


def _say(place: Path, objects: Sequence[Object], command: str) -> None:
    print(f"{place}: {', '.join(' '.join((str(o['kind']), meta.name(o))) for o in objects)}")
    print(f"next: {command}")


async def _objects(options: ExportOptions) -> tuple[list[Object], list[str]]:
    """What is written, and what is to be said of it."""
    api = access_of_either(options.kubeconfig, options.data_dir)
    async with KubeClient(api) as client:
        there = await exportable(client, options.namespace)
    kinds, told, found = Kinds(), list[str](), list[Object]()
    for obj in exported(unbound(there), _chosen(options)):
        if kinds.kind(obj) is not None and obj["kind"] != "Secret":
            obj = smallest(obj, partial(kinds.defaulted, namespace=options.namespace))
        obj, notes = portable(obj, options.namespace)
        if options.kubeconfig is None:
            notes += await with_images(options.data_dir, options.registry, obj)
        notes += _secret_notes(options, obj)
        found.append(obj)
        told += notes
    return found, told


def _chosen(options: ExportOptions) -> Chosen:
    if options.selector is None:
        return Chosen(options.names)
    if options.names:
        raise UserError("give names or -l SELECTOR, not both")
    try:
        selector = parse_label_selector(options.selector)
    except ValueError as error:
        raise UserError(f"-l {options.selector!r}: {error}") from error
    return Chosen(selected=by_labels(selector.matches))


def _secret_notes(options: ExportOptions, obj: Object) -> list[str]:
    if obj["kind"] != "Secret":
        return []
    called = f"Secret {meta.name(obj)}"
    if options.helm is not None:
        return [f"{called}: its values are not exported; give them to Helm, or make it yourself"]
    return [f"{called}: its values are not exported; put yours where {PLACEHOLDER} is"]
