"""The documentation site: what it makes of the code, and of links that lead out of it."""

from __future__ import annotations

from pathlib import Path

import typer.main
from links import without_dead_links
from reference import commands_page, kind_pages

from hearth.cli.main import app

ROOT = Path(__file__).resolve().parents[2]


def test_every_command_is_in_the_reference() -> None:
    page = commands_page()
    names = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert len(names) > 20
    assert [name for name in names if f"\n## hearth {name}" not in page] == []
    assert "| `--namespace, -n` | `default` | Namespace. |" in page


def test_every_kind_has_a_page_with_its_fields() -> None:
    pages = dict(kind_pages(ROOT / "crds"))
    assert len(pages) == sum(
        path.read_text().count("\nkind: CustomResourceDefinition")
        for path in (ROOT / "crds").rglob("*.yaml")
    )
    trigger = pages["triggers.eventing.knative.dev"]
    assert "# Trigger (eventing.knative.dev)" in trigger
    assert "| `subscriber.ref.name` | string |" in trigger


def test_links_out_of_the_site_are_text() -> None:
    page, pages = ROOT / "docs" / "deploy.md", {"docs/eventing", "hearth/cli/README"}

    def made(text: str) -> str:
        return without_dead_links(text, page, ROOT, pages)

    assert made("see [code](../hearth/cli/main.py)") == "see code"
    assert made("see [it](../hearth/cli)") == "see [it](../hearth/cli/README.md)"
    assert made("[a](eventing.md#kafka), [b](https://b.c/d)") == (
        "[a](eventing.md#kafka), [b](https://b.c/d)"
    )
    assert made("![picture](benchmarks.svg)") == "![picture](benchmarks.svg)"
