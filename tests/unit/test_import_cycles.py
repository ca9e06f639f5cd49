"""No module imports itself by way of others, imports for type checking included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hearth", "serving", "activator", "eventing")


def _modules() -> dict[str, Path]:
    modules = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def _imports(tree: ast.AST, name: str, *, is_package: bool) -> Iterator[str]:
    """Names imported by a module as such; within functions imports are late on purpose."""
    stack = list(ast.iter_child_nodes(tree))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".")
                kept = parts[: len(parts) - node.level + is_package]
                base = ".".join([*kept, base] if base else kept)
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            stack += ast.iter_child_nodes(node)


def _graph(modules: dict[str, Path]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        tree = ast.parse(path.read_text())
        edges = set()
        for imported in _imports(tree, name, is_package=path.name == "__init__.py"):
            # ``from package import module`` and ``from module import name``.
            target = imported if imported in modules else imported.rpartition(".")[0]
            if target in modules and target != name:
                edges.add(target)
        graph[name] = edges
    return graph


def _cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Sets of modules that reach each other (Tarjan), without recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    found = []
    for start in graph:
        work = [(start, iter(graph[start]))] if start not in index else []
        while work:
            node, edges = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                path.append(node)
            following = next(edges, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group = path[path.index(node) :]
                    del path[path.index(node) :]
                    found += [sorted(group)] if len(group) > 1 else []
            elif following not in index:
                work.append((following, iter(graph[following])))
            elif following in path:
                low[node] = min(low[node], index[following])
    return found


def test_there_is_no_import_cycle() -> None:
    assert _cycles(_graph(_modules())) == []


def test_a_cycle_would_be_seen() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": set[str]()}
    assert _cycles(graph) == [["a", "b", "c"]]
    assert _cycles({"a": {"b"}, "b": set()}) == []


def test_imports_for_type_checking_count_and_late_ones_do_not() -> None:
    source = """
if TYPE_CHECKING:
    from x import y
def late():
    import z
from . import sibling
"""
    names = set(_imports(ast.parse(source), "p.m", is_package=False))
    assert names == {"x.y", "p.sibling"}
