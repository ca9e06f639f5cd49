"""The reference, made of the code: each command with its options, each kind with its fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
import yaml

from hearth.cli.main import app

Schema = dict[str, Any]
_MADE = "% Made of the code by docs/site/reference.py.\n\n"
_DEEPEST = 12


def write_reference(root: Path) -> None:
    """Write ``docs/reference/`` below the repository's root; what is as it was is left alone."""
    folder = root / "docs" / "reference"
    kinds = dict(kind_pages(root / "crds"))
    _write(folder / "commands.md", commands_page())
    _write(folder / "kinds.md", _contents(kinds))
    for name, text in kinds.items():
        _write(folder / "kinds" / f"{name}.md", text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


# -- commands -----------------------------------------------------------------------------------


def commands_page() -> str:
    """Return the page of all commands, in the order of their names."""
    parts = [_MADE, "# Commands\n\nAlso by `hearth COMMAND --help`.\n"]
    return "".join([*parts, *map(_command, _commands())])


def _commands() -> list[tuple[str, Any]]:
    found, waiting = [], [("hearth", typer.main.get_command(app))]
    while waiting:
        path, command = waiting.pop()
        children = getattr(command, "commands", None) or {}
        waiting += [(f"{path} {name}", child) for name, child in children.items()]
        if not children and not command.hidden:
            found.append((path, command))
    return sorted(found, key=lambda each: each[0])


def _command(found: tuple[str, Any]) -> str:
    path, command = found
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([path, *(_usage(each) for each in arguments)])
    text = f"\n## {path}\n\n```\n{usage} [OPTIONS]\n```\n\n{_prose(command.help)}\n"
    rows = [_row(each) for each in command.params if each.name != "help"]
    return text + ("\n| option | default | what |\n|---|---|---|\n" + "".join(rows) if rows else "")


def _usage(argument: Any) -> str:
    name = str(argument.metavar or argument.name).upper().replace("_", "-") + (
        "..." if argument.nargs == -1 else ""
    )
    return name if argument.required else f"[{name}]"


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = _usage(parameter)
    else:
        name = ", ".join([*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    is_said = default is not None and not isinstance(default, bool) and not callable(default)
    shown = f"`{default}`" if is_said and str(default) not in ("", "()", "[]") else ""
    return f"| `{name}` | {shown} | {_cell(parameter.help or '')} |\n"


# -- kinds --------------------------------------------------------------------------------------


def kind_pages(crds: Path) -> Iterator[tuple[str, str]]:
    """Yield a name and a page for each CustomResourceDefinition in a folder and below."""
    for path in sorted(crds.rglob("*.yaml")):
        for obj in yaml.safe_load_all(path.read_text()):
            if obj and obj.get("kind") == "CustomResourceDefinition":
                yield obj["metadata"]["name"].lower(), _kind_page(obj["spec"])


def _contents(kinds: dict[str, str]) -> str:
    lines = "\n".join(f"kinds/{name}" for name in sorted(kinds))
    return f"{_MADE}# Kinds\n\nAs the API server checks them.\n\n```{{toctree}}\n{lines}\n```\n"


def _kind_page(spec: Schema) -> str:
    names = spec["names"]
    text = f"{_MADE}# {names['kind']} ({spec['group']})\n\n"
    short = f", short {', '.join(names['shortNames'])}" if names.get("shortNames") else ""
    text += f"`kubectl get {names['plural']}`{short}; {spec['scope'].lower()}.\n"
    return text + "".join(_version(each) for each in spec["versions"] if each["served"])


def _version(version: Schema) -> str:
    schema = version["schema"]["openAPIV3Schema"]
    text = f"\n## {version['name']}\n\n{_prose(schema.get('description'))}\n"
    for part in ("spec", "status"):
        rows = list(_fields((schema.get("properties") or {}).get(part) or {}, ""))
        if rows:
            head = "\n| field | type | what |\n|---|---|---|\n"
            text += f"\n### {part} of {version['name']}\n{head}" + "".join(rows)
    return text


def _fields(schema: Schema, prefix: str) -> Iterator[str]:
    for name, field in (schema.get("properties") or {}).items():
        path = f"{prefix}{name}"
        what = [_cell(field.get("description") or "")]
        if "enum" in field:
            what.append("One of " + ", ".join(f"`{each}`" for each in field["enum"]) + ".")
        if field.get("default") not in (None, {}, []):
            what.append(f"Default `{field['default']}`.")
        yield f"| `{path}` | {_type(field)} | {' '.join(filter(None, what))} |\n"
        if path.count(".") < _DEEPEST:
            yield from _fields(field, f"{path}.")
            yield from _fields(field.get("items") or {}, f"{path}[].")


def _type(field: Schema) -> str:
    if field.get("type") == "array":
        return f"list of {(field.get('items') or {}).get('type', 'any')}"
    if field.get("x-kubernetes-int-or-string"):
        return "number or text"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"map of {field['additionalProperties'].get('type', 'any')}"
    return str(field.get("type", "any"))


# -- text ---------------------------------------------------------------------------------------


def _prose(text: str | None) -> str:
    """Docstrings name things in two backquotes, as reStructuredText has it; Markdown may, too."""
    return (text or "").strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")
