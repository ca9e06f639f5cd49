"""How events are delivered, beyond what Knative's delivery spec can say: annotations. Pure.

On a Trigger or a Subscription; on a Broker or a channel they hold for all that say nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hearth.knative.fielderrors import Errors, invalid, via

_PREFIX = "eventing.hearth.dev/"
UNDELIVERABLE = _PREFIX + "undeliverable"
BACKOFF_JITTER = _PREFIX + "backoff-jitter"


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """What the annotations ask for."""

    full_jitter: bool = False
    """Waits between attempts are anything from none up to the back-off, by chance."""
    hold: bool = False
    """Events without a dead letter sink are held when they cannot be delivered, not dropped."""

    @classmethod
    def from_annotations(cls, *annotations: Mapping[str, str]) -> DeliveryOptions:
        """Read annotations, of which the later ones count; raise ValueError for a bad value."""
        found: dict[str, Any] = {}
        for given in annotations:
            for name, (field, read) in _KNOWN.items():
                if name in given:
                    found[field] = _read(name, given[name], read)
        return cls(**found)


NO_OPTIONS = DeliveryOptions()


def _one_of(**meanings: object) -> Callable[[str], object]:
    def read(value: str) -> object:
        try:
            return meanings[value]
        except KeyError as error:
            raise ValueError(f"is one of {', '.join(meanings)}") from error

    return read


_KNOWN: Mapping[str, tuple[str, Callable[[str], object]]] = {
    UNDELIVERABLE: ("hold", _one_of(drop=False, hold=True)),
    BACKOFF_JITTER: ("full_jitter", _one_of(small=False, full=True)),
}


def _read(name: str, value: str, read: Callable[[str], object]) -> object:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"annotation {name}: {value!r} {error}") from error


def given_options(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return those annotations that ask for something of deliveries."""
    return {name: value for name, value in annotations.items() if name in _KNOWN}


def check_options(annotations: Mapping[str, str]) -> Errors:
    """Complain about values that cannot be read."""
    errors: Errors = []
    for name, value in given_options(annotations).items():
        try:
            _read(name, value, _KNOWN[name][1])
        except ValueError:
            errors += via([invalid(value, name)], "metadata", "annotations")
    return errors
