"""Filters of the Subscriptions API as admission sees them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from eventing.api.shapes import SubscriptionsAPIFilter
from eventing.filters.cesql import CesqlError, parse
from hearth.knative.fielderrors import Errors, FieldError, invalid, invalid_key, via

_ATTRIBUTE = re.compile(r"[a-z][a-z0-9]*")


def validate_filters(filters: Iterable[SubscriptionsAPIFilter]) -> Errors:
    """Knative puts each index before all complaints so far, also those of earlier filters."""
    errors: Errors = []
    for number, one in enumerate(filters):
        errors = via([*errors, *validate_filter(one)], f"[{number}]")
    return errors


def validate_filter(one: SubscriptionsAPIFilter) -> Errors:
    """Check one filter of the subscriptions API: one dialect, sound attribute names."""
    errors: Errors = []
    dialects = (one.exact, one.prefix, one.suffix, one.all, one.any, one.cesql)
    if sum(map(bool, dialects)) + (one.not_ is not None) > 1:
        errors.append(FieldError("multiple dialects found, filters can have only one dialect set"))
    errors += via(check_names(one.exact), "exact")
    errors += via(check_names(one.prefix), "prefix")
    errors += via(check_names(one.suffix), "suffix")
    errors += via(validate_filters(one.all), "all")
    errors += via(validate_filters(one.any), "any")
    if one.not_ is not None:
        errors += via(validate_filter(one.not_), "not")
    errors += via(_check_cesql(one.cesql), "cesql")
    return errors


def _check_cesql(expression: str) -> Errors:
    if not expression:
        return []
    try:
        parse(expression)
    except CesqlError as error:
        return [invalid(expression, "", *([error.detail] if error.detail else []))]
    return []


def check_names(attributes: Mapping[str, str]) -> Errors:
    """Complain of keys that are no names of attributes."""
    hint = "Attribute name must start with a letter and can only contain lowercase alphanumeric"
    return [
        error
        for name in attributes
        if _ATTRIBUTE.fullmatch(name) is None
        for error in via([invalid_key(name, "", hint)], f"[{name}]")
    ]
