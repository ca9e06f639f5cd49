"""What a warm interpreter imports of what a program's files import."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.runtime.processes.warm.imports import preloads

SCRIPT = ("main.py",)


def found(target: tuple[str, ...] = SCRIPT, /, **files: str) -> tuple[str, ...]:
    named = {name.replace("__slash__", "/") + ".py": text for name, text in files.items()}
    return tuple(name for name in preloads(named, target) if name != "encodings.idna")


def test_what_is_imported_when_the_files_are() -> None:
    text = """
from __future__ import annotations
import a.b as c, d
from e import f
try:
    import g
except ImportError:
    import h
if True:
    import i
def later():
    import j
"""
    expected = ("a.b", "d", "e", "e.f", "g", "h", "i")
    assert set(expected) <= set(found(main=text)) and "j" not in found(main=text)


def test_a_programs_own_code_is_never_imported() -> None:
    files = {"main": "import helper, shop, deep, kept\nfrom . import x\nfrom shop.cart import y"}
    files |= {"helper": "", "shop__slash__cart": "", "src__slash__deep__slash__a": ""}
    assert found(**files) == ("kept",)


def test_the_module_that_runs_and_what_it_imports_later() -> None:
    names = found(("-m", "uvicorn"), main="import fastapi")
    assert names[0] == "uvicorn" and "uvicorn.protocols.http.auto" in names
    assert "anyio._backends._asyncio" in names


def test_a_script_without_a_suffix_may_be_called_as_its_package() -> None:
    assert "gunicorn.app" in preloads({"gunicorn": "import gunicorn.app"}, ("gunicorn",))


@pytest.mark.parametrize("text", ["import gevent", "from eventlet import x"])
def test_nothing_where_the_library_is_changed_first(text: str) -> None:
    assert preloads({"main.py": text + "\nimport flask"}, SCRIPT) == ()


@given(st.text())
def test_any_text_is_looked_at(text: str) -> None:
    assert "main" not in preloads({"main.py": text}, SCRIPT)
