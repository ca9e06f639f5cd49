"""Makes an application's image and puts it to a registry, without an engine.

Layers are reproducible: the same files and packages give the same digests, so that what a registry
has is not sent again. A layer of packages is kept and made again only when they change.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx

import hearth
from hearth.functions import runners
from hearth.functions.building.environments import (
    Say,
    node_modules,
    python_key,
    run,
    with_what_is_here,
)
from hearth.functions.building.errors import BuildError
from hearth.functions.building.sources import SourceFolder
from hearth.functions.detection.application import Application
from hearth.functions.imaging import plan
from hearth.functions.imaging.base import Base, read_base
from hearth.functions.imaging.packages import install_python
from hearth.oci.credentials import Login
from hearth.oci.errors import Unauthorized, Unreachable
from hearth.oci.fetching import fetch_blob
from hearth.oci.manifests import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Platform,
    digest_of,
    make_config,
    make_index,
    make_manifest,
    platform_of,
)
from hearth.oci.packing import Entry, Layer, entries_of, put_layer, write_layer
from hearth.oci.pushing import push
from hearth.oci.references import Reference
from hearth.oci.registry import Repository
from hearth.oci.store import ContentStore

OURS = platform_of(platform.machine())


@dataclass(frozen=True, slots=True)
class Order:
    """What image is wanted: of what, on which base, for which platforms, under which name."""

    source: SourceFolder
    application: Application
    base: Reference
    platforms: tuple[Platform, ...]
    name: Reference


@contextlib.contextmanager
def _of(name: Reference, option: str) -> Iterator[None]:
    """Have errors say which image they are about, and what to do."""
    try:
        yield
    except (Unauthorized, Unreachable) as error:
        raise type(error)(f"{name}: {error}\n{_todo(error, name, option)}") from error


def _todo(error: Exception, name: Reference, option: str) -> str:
    if isinstance(error, Unauthorized):
        return f"`docker login {name.domain}` lets one in"
    if "failed to verify certificate" in str(error):
        return "SSL_CERT_FILE names a file with the authorities to trust"
    if "HTTP response" in str(error):
        return "only a registry on loopback is spoken to without TLS"
    return f"{option} names another"


class ImageMaker:
    """Makes images in a folder of Hearth's, where layers are kept for the next time."""

    def __init__(self, builds: Path, http: httpx.AsyncClient, say: Say) -> None:
        self._builds, self._http, self._say = builds, http, say
        self._store = ContentStore(builds / "images")

    async def make(
        self, order: Order, base_logins: Sequence[Login], logins: Sequence[Login]
    ) -> str:
        """Return the digest under which the registry has the image; raise OciError, BuildError."""
        made = []
        for on in order.platforms:
            with _of(order.base, "--base"):
                base = await read_base(self._http, order.base, on, self._store, base_logins)
            layers = await asyncio.to_thread(self._layers, order, base, on)
            image = await asyncio.to_thread(self._image, order, base, layers)
            made.append((on, image))
            tag = order.name if len(order.platforms) == 1 else replace(order.name, tag="")
            with _of(order.name, "--registry"):
                await self._send_base(order, base, logins)
                await push(self._http, tag, image, self._store, logins=logins)
        if len(made) == 1:
            return made[0][1].digest
        with _of(order.name, "--registry"):
            return await self._send_index(order, made, logins)

    async def _send_base(self, order: Order, base: Base, logins: Sequence[Login]) -> None:
        """What the registry lacks of the base has to be here before it can be sent."""
        target = Repository(self._http, order.name, logins, actions="pull,push")
        for layer in base.layers:
            if not await target.has_blob(layer.digest):
                await fetch_blob(base.repository, layer, self._store)

    async def _send_index(
        self, order: Order, made: Sequence[tuple[Platform, Descriptor]], logins: Sequence[Login]
    ) -> str:
        index = make_index([(on, image) for on, image in made])
        target = Repository(self._http, order.name, logins, actions="pull,push")
        await target.push_manifest(index, OCI_INDEX, order.name.tag)
        return digest_of(index)

    def _image(self, order: Order, base: Base, layers: Sequence[Layer]) -> Descriptor:
        config = plan.image_config(order.application, base.config)
        ids = (*base.config.diff_ids, *(layer.diff_id for layer in layers))
        said = make_config(replace(config, diff_ids=ids))
        head = Descriptor(OCI_CONFIG, self._store.put(said), len(said))
        manifest = make_manifest(head, [*base.layers, *(layer.descriptor for layer in layers)])
        return Descriptor(OCI_MANIFEST, self._store.put(manifest), len(manifest))

    # -- layers ----------------------------------------------------------------------------

    def _layers(self, order: Order, base: Base, on: Platform) -> list[Layer]:
        layers = [self._packages(order, base, on), self._node_modules(order, on)]
        layers.append(self._files(order, on))
        ours = _our_entries(order.application)
        layers.append(self._put(ours) if ours else None)
        return [layer for layer in layers if layer is not None]

    def _packages(self, order: Order, base: Base, on: Platform) -> Layer | None:
        needs = order.application.dependencies
        if needs is None or plan.language(order.application) != "python":
            return None
        needs = with_what_is_here(order.source, needs, self._say)
        version = plan.python_version(base.config.env, "3.11")
        key = f"{python_key(order.source, needs)}-{version}-{on.architecture}"

        def made() -> Layer:
            with tempfile.TemporaryDirectory(dir=self._builds) as scratch:
                target = Path(scratch) / plan.PACKAGES
                install_python(order.source, needs, target, version=version, on=on, say=self._say)
                return self._put(entries_of(target, plan.PACKAGES))

        return self._kept(key, made)

    def _node_modules(self, order: Order, on: Platform) -> Layer | None:
        needs = order.application.dependencies
        if needs is None or plan.language(order.application) != "node":
            return None
        run_needs = replace(needs, with_dev=False)
        cpu = "" if on == OURS else plan.node_cpu(on.architecture)
        modules = node_modules(order.source, run_needs, self._builds, self._say, cpu)
        place = f"{plan.FILES}/node_modules"
        return self._kept(modules.parent.name, lambda: self._put(entries_of(modules, place)))

    def _files(self, order: Order, on: Platform) -> Layer:
        build = order.application.build
        if not build:
            return self._put(_file_entries(order.source))
        if on != OURS and plan.language(order.application) == "rust":
            raise BuildError(
                f"Rust is compiled for {OURS} here, not for {on}: leave --platform out, or build "
                "by a Dockerfile"
            )
        with tempfile.TemporaryDirectory(dir=self._builds) as scratch:
            folder = Path(scratch)
            for path in sorted(order.source.paths):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(order.source.folder / path, folder / path, follow_symlinks=False)
            is_node = plan.language(order.application) == "node"
            needs = order.application.dependencies
            if is_node and needs is not None:
                modules = node_modules(order.source, needs, self._builds, self._say)
                (folder / "node_modules").symlink_to(modules)
            self._say(" ".join(build))
            run(["env", *plan.go_environment(on.architecture), *build], folder)
            if is_node:
                return self._put(entries_of(folder, plan.FILES, skip=("node_modules",)))
            program = order.application.command[0].removeprefix("./")
            return self._put([Entry(f"{plan.FILES}/{program}", folder / program)])

    def _kept(self, key: str, make: Callable[[], Layer]) -> Layer:
        """A layer that was made before, where it is still here."""
        note = self._builds / "images" / f"{key}.layer"
        if note.exists():
            media_type, digest, size, diff_id = json.loads(note.read_text())
            if self._store.blob(digest).exists():
                return Layer(Descriptor(media_type, digest, size), diff_id)
        layer = make()
        known = layer.descriptor
        fresh = note.with_suffix(".new")
        fresh.write_text(json.dumps([known.media_type, known.digest, known.size, layer.diff_id]))
        fresh.replace(note)
        return layer

    def _put(self, entries: Sequence[Entry] | Iterator[Entry]) -> Layer:
        return put_layer(self._store, partial(write_layer, entries=entries))


def _our_entries(application: Application) -> list[Entry]:
    """A program of ours that runs the application, what it imports, what has it end by SIGTERM."""
    root = Path(hearth.__file__).parents[1]
    entries = [
        Entry(f"{plan.CARRIED}/{path.relative_to(root)}", path, 0o644)
        for pattern in application.carries
        for path in sorted(root.glob(pattern))
    ]
    if application.runner:
        name = f"{application.runner}.py"
        entries += [Entry(f"{plan.RUNNERS}/{name}", Path(runners.__file__).with_name(name), 0o644)]
    ending = plan.ENDINGS.get(plan.language(application))
    return [*entries, Entry(*ending, 0o644)] if ending else entries


def _file_entries(source: SourceFolder) -> list[Entry]:
    entries = []
    for path in source.paths:
        place = source.folder / path
        if place.is_symlink():
            entries.append(Entry(f"{plan.FILES}/{path}", os.readlink(place), 0o777))
        else:
            mode = 0o755 if os.access(place, os.X_OK) else 0o644
            entries.append(Entry(f"{plan.FILES}/{path}", place, mode))
    return entries
