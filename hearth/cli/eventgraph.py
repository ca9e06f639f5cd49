"""What flows where, drawn: for Graphviz (``dot``), for Mermaid, and as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_SHAPES = {
    "source": ("ellipse", "([", "])"),
    "broker": ("box3d", "[[", "]]"),
    "channel": ("cds", "[[", "]]"),
    "trigger": ("diamond", "{{", "}}"),
    "subscription": ("diamond", "{{", "}}"),
}
_OTHER = ("box", "[", "]")


def dot(graph: Json) -> str:
    """Return a digraph for Graphviz."""
    lines = ["digraph events {", "  rankdir=LR;", "  node [fontname=sans];"]
    for node in graph["nodes"]:
        shape = _SHAPES.get(node["kind"], _OTHER)[0]
        lines.append(f"  {_quoted(node['id'])} [label={_quoted(_title(node))}, shape={shape}];")
    for edge in graph["edges"]:
        style = ", style=dashed" if edge["kind"] == "dead letter" else ""
        ends = f"{_quoted(edge['from'])} -> {_quoted(edge['to'])}"
        lines.append(f"  {ends} [label={_quoted(_label(edge))}{style}];")
    return "\n".join([*lines, "}"])


def mermaid(graph: Json) -> str:
    """Return a flowchart for Mermaid, as Markdown on many sites shows it."""
    names = {node["id"]: f"n{number}" for number, node in enumerate(graph["nodes"])}
    lines = ["flowchart LR"]
    for node in graph["nodes"]:
        _, begin, end = _SHAPES.get(node["kind"], _OTHER)
        lines.append(f'  {names[node["id"]]}{begin}"{_entity(_title(node))}"{end}')
    for edge in graph["edges"]:
        arrow = "-.->" if edge["kind"] == "dead letter" else "-->"
        label = f'|"{_entity(_label(edge))}"|'
        lines.append(f"  {names[edge['from']]} {arrow}{label} {names[edge['to']]}")
    return "\n".join(lines)


def rows(graph: Json) -> Sequence[dict[str, Any]]:
    """Return the edges as rows: from, what happens, to, how often."""
    names = {node["id"]: f"{node['kind']} {node['name']}" for node in graph["nodes"]}
    return [
        {
            "from": names[edge["from"]],
            "kind": f"{edge['kind']} {edge['label']}".rstrip(),
            "to": names[edge["to"]],
            "count": edge["count"],
        }
        for edge in graph["edges"]
    ]


def _title(node: Json) -> str:
    counts = [f"{node[what]} {text}" for what, text in _COUNTED if node.get(what)]
    return "\n".join([node["kind"], node["name"], *counts])


_COUNTED = (("failed", "attempts failed"), ("dropped", "dropped"))


def _label(edge: Json) -> str:
    what = edge["label"] if edge["kind"] == "sends" else f"{edge['kind']} {edge['label']}".rstrip()
    return f"{what}\n{edge['count']}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _entity(text: str) -> str:
    for character, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, entity)
    return text.replace("\n", "<br>")
