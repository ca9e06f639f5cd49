"""Packs of templates: Hearth's own, those of a folder, those of a git repository at a commit."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cli.trees import MOST_BYTES, Files, TreeError, folder_files, read
from hearth.functions import drafting
from hearth.functions.drafting.templates import (
    DRAFT_FILE,
    FILE,
    Template,
    TemplateError,
    read_template,
)

OWN = "hearth"


def templates_of(packs: Iterable[str]) -> list[Template]:
    """Return the templates of packs and then Hearth's own; UserError where a pack has none.

    A template that cannot be read is told of, and the others of its pack are there.
    """
    own = Path(drafting.__file__).with_name("packs")
    with contextlib.ExitStack() as stack:
        given = [stack.enter_context(read(pack, "pack")) for pack in packs]
        return [each for pack in (*given, (OWN, folder_files(own))) for each in _templates(*pack)]


def _templates(pack: str, files: Files) -> list[Template]:
    """A template is a folder with a template.yaml or a draft.yaml."""
    tops = sorted({path.rpartition("/")[0] for path in files if path.rpartition("/")[2] in _NAMES})
    if not tops:
        raise UserError(f"pack {pack} has no template: none of its folders has a {FILE}")
    found = []
    for top in tops:
        start = f"{top}/" if top else ""
        mine = [path for path in files if path.startswith(start)]
        name = top.rpartition("/")[2] or Path(pack.partition("@")[0]).stem
        try:
            texts = {path.removeprefix(start): _text(path, files[path]()) for path in mine}
            if texts.get(FILE, "").lstrip().startswith("apiVersion:"):
                continue  # an object of Kubernetes that is called so
            found.append(read_template(name, pack, texts))
        except (TemplateError, TreeError) as error:
            print(f"left out: {error}", file=sys.stderr)
    return found


_NAMES = (FILE, DRAFT_FILE)


def _text(path: str, content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise TemplateError(f"{path} is larger than 1 MiB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise TemplateError(f"{path} is no text") from None
