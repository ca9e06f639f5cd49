"""Trigger filters: compiled once into predicates, indexed over many triggers.

Pure. The reconciler compiles a Trigger's filters to see whether they can be served; the broker
compiles them to route events. ``explain`` names the clause that keeps one event out.
"""

from eventing.filters.compiler import (
    EVERYTHING,
    Dialect,
    Filter,
    FilterError,
    compile_filters,
    compile_trigger,
)
from eventing.filters.explaining import Explanation, explain
from eventing.filters.index import FilterIndex

__all__ = [
    "EVERYTHING",
    "Dialect",
    "Explanation",
    "Filter",
    "FilterError",
    "FilterIndex",
    "compile_filters",
    "compile_trigger",
    "explain",
]
