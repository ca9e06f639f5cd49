"""CESQL, the query language of CloudEvents, version 1.0: text in, an expression that is asked.

``syntax`` reads a text into a tree, ``compiler`` makes closures of the tree, ``requirements`` says
what every event has that an expression passes, ``explaining`` why one does not pass. Pure.
"""

from eventing.filters.cesql.compiler import Evaluation, Expression, compile_expression
from eventing.filters.cesql.syntax import CesqlError, parse
from eventing.filters.cesql.values import ErrorKind, Failure

__all__ = [
    "CesqlError",
    "ErrorKind",
    "Evaluation",
    "Expression",
    "Failure",
    "compile_expression",
    "parse",
]
