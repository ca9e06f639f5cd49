"""Objects in files: YAML, JSON, folders of them, charts by helm, kustomizations. With their lines.

Files are read as the API reads a body, within the same bounds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import orjson

from hearth.cli.draft.lines import LineOf, lines_of, no_line
from hearth.cli.errors import UserError
from hearth.cluster.codec.decode import MAX_BODY
from hearth.cluster.codec.yamlbody import YamlError, load_yaml
from hearth.install.kustomize import KustomizeError, is_component, render
from hearth.kube.meta import Object

_SUFFIXES = (".yaml", ".yml", ".json")
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv"})
_MOST_FILES = 5000
_SECONDS = 120.0
_LINE = re.compile(r"\bline (\d+)")
_SOURCE = re.compile(r"(?m)^# Source: (.+)$")


@dataclass(frozen=True, slots=True)
class Document:
    """An object of a file; ``line_of`` gives the line of a path in it, 0 where none is known."""

    file: str
    obj: Object
    line_of: LineOf


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read, and why."""

    file: str
    line: int
    why: str


@dataclass(slots=True)
class Read:
    """All that was found; ``files`` counts those with objects."""

    documents: list[Document] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    files: int = 0

    def add(self, file: str, text: bytes, *, is_named: bool = True, has_lines: bool = True) -> None:
        """Take the objects of a text; one that was not named may have none."""
        if len(text) > MAX_BODY:
            self.unread.append(Unread(file, 0, "it is larger than 3 MiB"))
            return
        before = len(self.documents) + len(self.unread)
        for start, part in _parts(text):
            self._part(file, start, part, is_named=is_named, has_lines=has_lines)
        if len(self.documents) + len(self.unread) > before:
            self.files += 1
        elif is_named:
            self.unread.append(Unread(file, 0, "there is no object in it"))

    def _part(self, file: str, start: int, part: bytes, *, is_named: bool, has_lines: bool) -> None:
        try:
            value, complaint = load_yaml(part)
        except YamlError as error:
            self.unread.append(_unread(file, start, str(error)))
            return
        if value is None:
            return
        try:
            value = orjson.loads(orjson.dumps(value))  # as it goes over the wire
        except TypeError as error:
            self.unread.append(Unread(file, start + 1, f"it is no JSON: {error}"))
            return
        if not isinstance(value, dict) or not {"apiVersion", "kind"} <= value.keys():
            if is_named:
                why = "it is no object of Kubernetes: apiVersion and kind are missing"
                self.unread.append(Unread(file, start + 1 if has_lines else 0, why))
            return
        if complaint:
            self.unread += [_unread(file, start, line) for line in complaint.splitlines()[1:]]
        lines = lines_of(part, start) if has_lines else no_line
        self.documents += _documents(file, value, lines)


def _documents(file: str, obj: Object, lines: LineOf) -> Iterator[Document]:
    items = obj.get("items")
    if not str(obj["kind"]).endswith("List") or not isinstance(items, list):
        yield Document(file, obj, lines)
        return
    for index, item in enumerate(items):
        if isinstance(item, dict):
            yield Document(file, item, partial(_line_of_item, lines, index))


def _line_of_item(lines: LineOf, index: int, path: str) -> int:
    return lines(f"items[{index}].{path}".rstrip("."))


def _parts(text: bytes) -> Iterator[tuple[int, bytes]]:
    """The documents of a file with the count of lines before each."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    begin = 0
    for found in re.finditer(rb"(?m)^---(?=[ \t\r\n]|\Z)", text):
        yield text.count(b"\n", 0, begin), text[begin : found.start()]
        begin = found.end()
    yield text.count(b"\n", 0, begin), text[begin:]


def _unread(file: str, start: int, why: str) -> Unread:
    """A complaint about a line of a part, said of the line in the file."""
    found = _LINE.search(why)
    if found is None:
        return Unread(file, start + 1, why.strip())
    line = start + int(found[1])
    told = re.sub(r"^(yaml: )?line \d+: ", "", why.strip())
    return Unread(file, line, told)


# -- places ----------------------------------------------------------------------------------------


def read_places(places: list[str], namespace: str) -> Read:
    """Return the objects of files, folders and ``-``; UserError where a place is not there."""
    read = Read()
    for place in places:
        path = Path(place)
        if place == "-":
            read.add("stdin", sys.stdin.buffer.read(MAX_BODY + 1))
        elif path.is_dir():
            _folder(read, path, namespace)
        elif path.is_file():
            read.add(place, path.read_bytes())
        else:
            raise UserError(f"there is no file or folder {place}")
    return read


def _folder(read: Read, folder: Path, namespace: str) -> None:
    """A chart or a kustomization as a whole; else its files, and what is in its folders."""
    if (folder / "Chart.yaml").is_file():
        _chart(read, folder, namespace)
        return
    if (folder / "kustomization.yaml").is_file():
        _kustomization(read, folder)
        return
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        if entry.is_dir(follow_symlinks=False):
            _folder(read, Path(entry.path), namespace)
        elif entry.name.endswith(_SUFFIXES) and entry.is_file():
            if read.files >= _MOST_FILES:
                raise UserError(f"there are more than {_MOST_FILES} files with objects")
            with open(entry.path, "rb") as file:
                read.add(entry.path, file.read(MAX_BODY + 1), is_named=False)


def _chart(read: Read, folder: Path, namespace: str) -> None:
    helm = shutil.which("helm")
    if helm is None:
        why = "a chart is rendered by helm, which is not on the PATH: it was not looked at"
        read.unread.append(Unread(str(folder), 0, why))
        return
    title = re.sub(r"[^a-z0-9-]", "-", folder.resolve().name.lower()).strip("-") or "chart"
    text = _told(read, folder, [helm, "template", title, str(folder), "--namespace", namespace])
    if text is None:
        return
    for _, part in _parts(text):
        source = _SOURCE.search(part.decode("utf-8", "replace"))
        shown = source[1].partition("/")[2] if source else ""
        read.add(str(folder / shown), part, is_named=False, has_lines=False)


def _kustomization(read: Read, folder: Path) -> None:
    """By our own renderer; what that does not understand, by kubectl."""
    try:
        if is_component(folder):
            return  # nothing by itself
        objects = render(folder)
    except (KustomizeError, OSError) as error:
        kubectl = shutil.which("kubectl")
        if kubectl is None or "not understood" not in str(error):
            read.unread.append(Unread(str(folder), 0, str(error)))
            return
        text = _told(read, folder, [kubectl, "kustomize", str(folder)])
        if text is not None:
            read.add(str(folder), text, has_lines=False)
        return
    read.files += 1
    read.documents += [Document(str(folder), obj, no_line) for obj in objects]


def _told(read: Read, folder: Path, command: list[str]) -> bytes | None:
    """What a renderer prints; None, with its last line noted, where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        read.unread.append(Unread(str(folder), 0, f"{command[0]} took more than {_SECONDS:g} s"))
        return None
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    read.unread.append(Unread(str(folder), 0, said[-1] if said else f"{command[0]} failed"))
    return None
