"""Go's text/template, which settings use: names of hosts, tags and containers, lines of logs.

``parse`` reads one, ``Template.execute`` fills it with data, made of ``Struct``, mappings, lists,
texts, numbers and booleans. Errors carry Go's words, since they reach who edits a ConfigMap. What a
template may do is bounded: settings that would never end raise, too. Pure.
"""

from __future__ import annotations

from functools import lru_cache

from serving.api.gotemplate.nodes import Struct, TemplateError
from serving.api.gotemplate.parser import Trees, parse_trees
from serving.api.gotemplate.running import Run

__all__ = ("Struct", "Template", "TemplateError", "parse")


class Template:
    """A parsed template."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._trees: Trees = parse_trees(name, text)

    def execute(self, data: Struct) -> str:
        """Fill the template with data; raises TemplateError."""
        try:
            return Run(self.name, self.text, self._trees, data).text()
        except RecursionError:
            raise TemplateError(f"template: {self.name}: exceeded maximum depth") from None


@lru_cache(maxsize=64)
def parse(name: str, text: str) -> Template:
    """Parse a template; raises TemplateError."""
    try:
        return Template(name, text)
    except RecursionError:
        raise TemplateError(f"template: {name}: max expression depth exceeded") from None
