"""What ``ceOverrides`` of a source do to an event. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from eventing.codec.event import REQUIRED, TEXT_ATTRIBUTES, AttributeValue, CodecError, check_name

_NOT_EXTENSIONS = frozenset({*REQUIRED, *TEXT_ATTRIBUTES})


def overridden(
    attributes: Mapping[str, AttributeValue], extensions: Mapping[str, str]
) -> dict[str, AttributeValue]:
    """Return attributes with extensions set, in lower case as CloudEvents has their names.

    What is no name of an extension, or names an attribute of the specification, is left out.
    """
    found = dict(attributes)
    for given, value in extensions.items():
        name = given.lower()
        try:
            check_name(name)
        except CodecError:
            continue
        if name not in _NOT_EXTENSIONS:
            found[name] = value
    return found
