"""``matchConditions`` of a webhook: CEL expressions over the request. Pure.

Compiled when the first request needs them, for the library for CEL takes memory.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hearth.cluster.cel import expressions

_NOT_OF_USER = re.compile(r"request\.userInfo\.username != '([\w:.-]+)'")


class ConditionError(ValueError):
    """A condition that cannot be evaluated; what happens then says the failure policy."""


@dataclass(frozen=True)
class MatchConditions:
    """Named expressions; all must be true for the webhook to be called."""

    declared: tuple[tuple[str, str], ...]

    def __bool__(self) -> bool:
        return bool(self.declared)

    @functools.cached_property
    def passes_all_but(self) -> frozenset[str] | None:
        """The users who are not asked about, where the conditions say no more than that; else None.

        Controllers keep their own writes from their webhooks so. A name is compared for each of
        those writes; to evaluate the expression the whole review would have to be made.
        """
        found = [_NOT_OF_USER.fullmatch(source) for _, source in self.declared]
        return frozenset(each[1] for each in found if each) if all(found) else None

    @functools.cached_property
    def _compiled(self) -> list[tuple[str, expressions.Expression | str]]:
        out: list[tuple[str, expressions.Expression | str]] = []
        for name, source in self.declared:
            try:
                out.append((name, expressions.Expression(source)))
            except expressions.CelError as error:
                out.append((name, str(error)))
        return out

    def match(self, variables: Mapping[str, Any]) -> bool:
        """False as soon as one is false, even where others fail."""
        problems = []
        for name, expression in self._compiled:
            if isinstance(expression, str):
                problems.append(f"expression '{name}' resulted in error: {expression}")
                continue
            try:
                if expression.evaluate(variables) is not True:
                    return False
            except expressions.CelError as error:
                source = expression.source
                problems.append(f"expression '{source}' resulted in error: {error}")
        if problems:
            text = problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]"
            raise ConditionError(text)
        return True
