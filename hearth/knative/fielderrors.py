"""Complaints about fields, composed as knative.dev/pkg/apis does.

Validation gives lists of ``FieldError``. ``via`` puts a field before their paths; ``text`` merges
and sorts them into the message a webhook answers with. Shared by serving and eventing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hearth.kube.gotext import quote


@dataclass(frozen=True, slots=True)
class FieldError:
    """One complaint; a ``warning`` does not refuse the object."""

    message: str
    paths: tuple[str, ...] = ()
    details: str = ""
    warning: bool = False


Errors = list[FieldError]


def via(errors: Iterable[FieldError], *fields: str) -> Errors:
    """Return the errors, seen from outside the fields: ``via(errors, "spec", "[0]")``."""
    return [
        FieldError(
            error.message,
            tuple(join_path((*fields, path)) for path in error.paths),
            error.details,
            error.warning,
        )
        for error in errors
    ]


def via_index(errors: Iterable[FieldError], field: str, index: int) -> Errors:
    """Return the errors as seen from outside one entry of a list."""
    return via(errors, f"{field}[{index}]")


def join_path(parts: Sequence[str]) -> str:
    """Parts joined by points; an index joins what stands before it: ``a``, ``[0]`` -> ``a[0]``."""
    joined: list[str] = []
    for part in ".".join(parts).split("."):
        if not part:
            continue
        if joined and part[0] == "[" and part[-1] == "]":
            joined[-1] += part
        else:
            joined.append(part)
    return ".".join(joined)


def merged(errors: Iterable[FieldError]) -> Errors:
    """Equal complaints about several fields become one; sorted by their text."""
    paths: dict[tuple[str, str, bool], dict[str, None]] = {}
    for error in errors:
        same = paths.setdefault((error.message, error.details, error.warning), {})
        same.update(dict.fromkeys(error.paths))
    return [
        FieldError(message, tuple(sorted(fields)), details, warning)
        for (message, details, warning), fields in sorted(paths.items(), key=lambda item: item[0])
    ]


def line(error: FieldError) -> str:
    """One merged complaint as text."""
    head = f"{error.message}: {', '.join(error.paths)}"
    return f"{head}\n{error.details}" if error.details else head


def text(errors: Iterable[FieldError]) -> str:
    """Return all complaints as the text a webhook answers with."""
    return "\n".join(line(error) for error in merged(errors))


def missing(*fields: str) -> FieldError:
    """Complain about fields that must be there."""
    return FieldError("missing field(s)", fields)


def disallowed(*fields: str) -> FieldError:
    """Complain about fields that must not be there."""
    return FieldError("must not set the field(s)", fields)


def invalid(value: object, field: str, *details: str) -> FieldError:
    """Complain about a value that its field cannot have."""
    return FieldError(f"invalid value: {value}", (field,), ", ".join(details))


def out_of_bounds(low: object, value: object, high: object, *, field: str) -> FieldError:
    """Complain about a number that is too small or too large."""
    return FieldError(f"expected {low} <= {value} <= {high}", (field,))


def missing_one_of(*fields: str) -> FieldError:
    """Complain that none of several fields is there."""
    return FieldError("expected exactly one, got neither", fields)


def multiple_one_of(*fields: str) -> FieldError:
    """Complain that more than one of several fields is there."""
    return FieldError("expected exactly one, got both", fields)


def invalid_key(key: str, field: str, *details: str) -> FieldError:
    """Complain about the key of a map."""
    return FieldError(f"invalid key name {quote(key)}", (field,), ", ".join(details))
