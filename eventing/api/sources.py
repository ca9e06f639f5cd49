"""What all sources have: a sink, and what is set on each event. Pure."""

from __future__ import annotations

from eventing.api.checks import validate_destination
from eventing.api.settings import Features
from eventing.api.shapes import SourceSpec
from hearth.knative.duck import LabelSelector
from hearth.knative.fielderrors import Errors, invalid, invalid_key, via
from hearth.kube.gotext import format_list, quote

_OPERATORS = {"In", "NotIn"}, {"Exists", "DoesNotExist"}


def check_source(spec: SourceSpec, features: Features) -> Errors:
    """Check the sink, and the names of what is set on events."""
    errors = via(validate_destination(spec.sink, features), "sink")
    if spec.ce_overrides is None:
        return errors
    for name in sorted(spec.ce_overrides.extensions):
        problem = _name_problem(name)
        if problem:  # one is enough for Knative
            return errors + via([invalid_key(name, "", problem)], "ceOverrides", "extensions")
    return errors


def _name_problem(name: str) -> str:
    if not name:
        return "keys MUST NOT be empty"
    return "" if name.isascii() and name.isalnum() else "keys are expected to be alphanumeric"


def selector_problem(selector: LabelSelector) -> str:
    """Return what is wrong with a label selector; nothing where it is sound."""
    with_values, without = _OPERATORS
    for one in selector.match_expressions:
        if one.operator not in with_values | without:
            return f"{quote(one.operator)} is not a valid label selector operator"
        if one.operator in with_values and not one.values:
            return (
                "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
            )
        if one.operator in without and one.values:
            return (
                f"values: Invalid value: {format_list(one.values)}: "
                "values set must be empty for exists and does not exist"
            )
    return ""


def check_group_version(version: str) -> Errors:
    """Complain of what is neither ``v1`` nor ``group/v1``."""
    return [invalid(version, "apiVersion")] if version.count("/") > 1 else []
