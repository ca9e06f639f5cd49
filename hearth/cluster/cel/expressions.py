"""CEL expressions: compiled once, evaluated with variables, with errors in Kubernetes' words.

Used by rules in CRDs and by match conditions of webhooks. ``celsyntax`` and ``celfunctions`` add
what the library of ``cellibrary`` lacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hearth.cluster.cel.functions import FUNCTIONS, is_known
from hearth.cluster.cel.library import CelError, NoOverload, library, optional
from hearth.cluster.cel.syntax import rewrite

__all__ = ["CelError", "Expression", "NoOverload", "optional"]

_BINDING = re.compile(r"\b(?:all|exists|exists_one|existsOne|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
_TYPE_NAMES = frozenset(
    {"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"}
    | {"optional", "math", "sets", "base64", "google"}
)


class Expression:
    """A compiled expression, evaluated with variables by name.

    ``variables`` are those it needs from outside; what its macros bind is not among them.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        rewritten = rewrite(source)
        try:
            self._program = library().compile(rewritten)
        except (ValueError, RuntimeError) as error:
            text = str(error).partition("': ")[2] or str(error)
            raise CelError(f"compilation failed: {text}") from None
        references = self._program.references()
        bound = frozenset(_BINDING.findall(rewritten))
        self.variables = frozenset(references["variables"]) - bound - _TYPE_NAMES
        unknown = {f for f in references["functions"] if not is_known(f)}
        if unknown:
            name = sorted(unknown)[0]
            raise CelError(
                f"compilation failed: undeclared reference to '{name}' (in container '')"
            )

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """The value; raises CelError in the words of Kubernetes."""
        context = library().Context(dict(variables), FUNCTIONS)
        try:
            return self._program.execute(context)
        except KeyError as error:
            raise CelError(f"no such key: {error.args[0]}") from None
        except IndexError as error:
            raise CelError(str(error)) from None
        except ZeroDivisionError:
            raise CelError("division by zero") from None
        except OverflowError:
            raise CelError("integer overflow") from None
        except TypeError:
            raise NoOverload("no such overload") from None
        except (RuntimeError, ValueError) as error:
            raise CelError(_function_error(str(error))) from None


def _function_error(text: str) -> str:
    """The message of a function of ours, without what the library says around it."""
    match = re.search(r"Python function call failed: \w+: (.*?)(?:\. Check function|$)", text, re.S)
    return match[1] if match else text
