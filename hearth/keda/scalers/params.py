"""Parameters of a trigger: read from its metadata, its authentication or the target's environment.

A scaler declares a frozen dataclass of ``param`` fields and calls ``read_params``; rules and words
are those of KEDA's typed configuration (``pkg/scalers/scalersconfig/typed_config.go``): the first
non-empty value in the declared order wins, ``<name>FromEnv`` in the metadata names a variable of
the target's container, durations are Go's or whole milliseconds, and all faults are told at once.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NewType, TypeVar

from hearth.keda.scalers.seam import ConfigError, TriggerConfig
from hearth.kube.durations import parse_go_duration

Seconds = NewType("Seconds", float)
"""Annotates a duration: ``500ms``, ``1m``, or whole milliseconds as a plain number."""


class Origin(StrEnum):
    """Where a parameter may stand, in KEDA's words."""

    METADATA = "triggerMetadata"
    AUTH = "authParams"
    ENV = "resolvedEnv"


METADATA, AUTH, ENV = Origin.METADATA, Origin.AUTH, Origin.ENV

_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False"}
_NAMES_OF_TYPES = {int: "int64", float: "float64"}
_KEY = "keda"
_LONGEST_RANGE = 10_000

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, slots=True)
class _Param:
    names: tuple[str, ...]
    order: tuple[Origin, ...]
    optional: bool
    default: str
    enum: tuple[str, ...]
    exclusive: tuple[str, ...]
    deprecated: str
    separator: str
    range_separator: str

    @property
    def name(self) -> str:
        return ",".join(self.names)


def param(
    *names: str,
    order: Sequence[Origin] = (METADATA,),
    optional: bool = False,
    default: str = "",
    enum: Sequence[str] = (),
    exclusive: Sequence[str] = (),
    deprecated: str = "",
    separator: str = ",",
    range_separator: str = "",
) -> Any:
    """Declare a field of a settings dataclass.

    ``names`` are tried in turn at each place of ``order``. Without a value an optional field is
    None where its annotation allows it and else the zero of its type, as in Go. ``default`` is
    written as a user would write it. ``deprecated`` refuses the parameter with that message.
    ``exclusive`` lists values of a list that exclude each other; ``range_separator`` lets an
    element of a list of integers be a range (``0-5``).
    """
    described = _Param(
        names,
        tuple(order),
        optional,
        default,
        tuple(enum),
        tuple(exclusive),
        deprecated,
        separator,
        range_separator,
    )
    return dataclasses.field(metadata={_KEY: described})


def read_params(settings: type[_T], config: TriggerConfig) -> _T:
    """Return the settings that a trigger asks for.

    A method ``check()`` of the dataclass, when there is one, is called with what was read and
    raises ConfigError for what cannot be said of one field. Raises ConfigError, one fault a line.
    """
    hints = typing.get_type_hints(settings)
    values: dict[str, Any] = {}
    faults: list[str] = []
    for each in dataclasses.fields(settings):  # type: ignore[arg-type]
        described = each.metadata[_KEY]
        try:
            values[each.name] = _value(described, hints[each.name], config)
        except ConfigError as error:
            faults.append(str(error))
            values[each.name] = _zero(hints[each.name])
    made = settings(**values)
    check: Callable[[], None] | None = getattr(made, "check", None)
    if check is not None:
        try:
            check()
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return made


def _value(described: _Param, hint: Any, config: TriggerConfig) -> Any:
    text = _found(described, config)
    if text is not None and described.deprecated:
        raise ConfigError(f"scaler {config.type} info: {described.deprecated}")
    text = described.default if text is None else text
    if not text:
        if described.optional or described.deprecated:
            return _zero(hint)
        places = " ".join(described.order)
        raise ConfigError(f'missing required parameter "{described.name}" in [{places}]')
    _check_choice(described, text)
    try:
        return _converted(text, _plain(hint), described)
    except ConfigError as error:
        raise ConfigError(
            f'unable to set param "{described.name}" value "{text}": {error}'
        ) from error


def _found(described: _Param, config: TriggerConfig) -> str | None:
    places: Mapping[Origin, Mapping[str, str]] = {
        METADATA: config.metadata,
        AUTH: config.auth,
        ENV: config.env,
    }
    for origin in described.order:
        for name in described.names:
            key = config.metadata.get(f"{name}FromEnv", "") if origin is ENV else name
            if text := places[origin].get(key, "").strip():
                return text
    return None


def _check_choice(described: _Param, text: str) -> None:
    parts = [part.strip() for part in text.split(described.separator)]
    if described.enum and not set(parts) <= set(described.enum):
        choices = " ".join(described.enum)
        raise ConfigError(f'parameter "{described.name}" value "{text}" must be one of [{choices}]')
    if described.exclusive and sum(part in described.exclusive for part in parts) > 1:
        choices = " ".join(described.exclusive)
        raise ConfigError(
            f'parameter "{described.name}" value "{text}" must contain only one of [{choices}]'
        )


def _plain(hint: Any) -> Any:
    """The annotation without its None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(arg for arg in typing.get_args(hint) if arg is not type(None))
    return hint


def _zero(hint: Any) -> Any:
    if _plain(hint) is not hint:
        return None
    if hint is Seconds:
        return Seconds(0.0)
    made = typing.get_origin(hint) or hint
    return "" if isinstance(made, type) and issubclass(made, StrEnum) else made()


def _converted(text: str, hint: Any, described: _Param) -> Any:
    if hint is str:
        return text
    if hint is Seconds:
        return _seconds(text)
    if hint is bool:
        return _boolean(text)
    if hint in _NAMES_OF_TYPES:
        return _number(text, hint)
    kind = typing.get_origin(hint)
    if kind is list:
        return _listed(text, typing.get_args(hint)[0], described)
    if kind is dict:
        return _mapped(text, typing.get_args(hint)[1], described)
    return hint(text)


def _seconds(text: str) -> Seconds:
    try:
        seconds = parse_go_duration(text)
    except ValueError:
        try:
            seconds = int(text) / 1000
        except (ValueError, OverflowError):
            raise ConfigError(
                f'unable to parse duration value "{text}": must be either a duration string '
                "(e.g. '30s', '5m') or a number of milliseconds"
            ) from None
    if seconds < 0:
        raise ConfigError(f'duration cannot be negative: "{text}"')
    return Seconds(float(seconds))


def _boolean(text: str) -> bool:
    if text not in _TRUE | _FALSE:
        raise ConfigError(
            f'unable to parse boolean value "{text}": strconv.ParseBool: parsing "{text}": '
            "invalid syntax"
        )
    return text in _TRUE


def _number(text: str, hint: type[int] | type[float]) -> int | float:
    """Only what JSON calls a number, as KEDA reads it: no NaN, no underscores, no spaces."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _not_of_type(hint)
    if hint is int and not (isinstance(value, int) and -(2**63) <= value < 2**63):
        raise _not_of_type(hint)
    if not abs(value) <= sys.float_info.max:
        raise _not_of_type(hint)
    return hint(value)


def _no_number(text: str) -> float:
    raise ValueError(text)


def _not_of_type(hint: type[int] | type[float]) -> ConfigError:
    return ConfigError(f"unable to unmarshal to field type {_NAMES_OF_TYPES[hint]}")


def _listed(text: str, hint: Any, described: _Param) -> list[Any]:
    values: list[Any] = []
    for place, part in enumerate(text.split(described.separator)):
        part = part.strip()
        try:
            if hint is int and described.range_separator and described.range_separator in part:
                values.extend(_ranged(part, described.range_separator))
            else:
                values.append(_converted(part, hint, described))
        except ConfigError as error:
            raise ConfigError(f"slice element {place}: {error}") from error
    return values


def _ranged(text: str, separator: str) -> range:
    ends = text.split(separator)
    if len(ends) != 2:
        raise ConfigError(f'expected format start{separator}end, got "{text}"')
    first, last = (int(_number(end, int)) for end in ends)
    if last - first >= _LONGEST_RANGE:
        raise ConfigError(f'a range has at most {_LONGEST_RANGE} elements, got "{text}"')
    return range(first, last + 1)


def _mapped(text: str, hint: Any, described: _Param) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in text.split(described.separator):
        pair = part.strip().split("=")
        if len(pair) != 2:
            raise ConfigError(f'expected format key=value, got "{part.strip()}"')
        values[pair[0].strip()] = _converted(pair[1].strip(), hint, described)
    return values
