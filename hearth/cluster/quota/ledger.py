"""What is used of each ResourceQuota, to the object, and what writes on their way hold. Pure.

A write that passes holds what it will use from that moment on, in one step, until it is stored or
has failed: so no number of writes at the same time takes more than there is. What objects use is
counted by their changes, not by adding up: it is right after deletions and at the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hearth.cluster.model.objects import Key, Object
from hearth.cluster.quota.amounts import ZERO, Amounts, minus, only, plus
from hearth.cluster.quota.check import Quota
from hearth.cluster.quota.usage import usage_of
from hearth.kube.quantity import Quantity


@dataclass(slots=True)
class Book:
    """The accounts of one quota: objects by key, and holds by number."""

    quota: Quota
    objects: dict[Key, Amounts] = field(default_factory=dict)
    holds: dict[int, tuple[Key, Amounts]] = field(default_factory=dict)
    used: dict[str, Quantity] = field(default_factory=dict)
    held: dict[str, Quantity] = field(default_factory=dict)

    def count(self, key: Key, obj: Object | None, now: float) -> bool:
        """Takes note of an object, or of its end (None); whether that changed what is used."""
        before = self.objects.pop(key, {})
        if obj is not None and self.quota.concerns(key.resource, obj):
            self.objects[key] = only(usage_of(key.resource, obj, now), self.quota.hard)
        for number in [number for number, (held, _) in self.holds.items() if held == key]:
            self.release(number)
        after = self.objects.get(key, {})
        if before == after:
            return False
        self.used = plus(minus(self.used, before), after)
        return True

    def admit(self, key: Key, obj: Object, now: float) -> Amounts:
        """What the object will use more than now; raises Refused where it does not fit."""
        if not self.quota.concerns(key.resource, obj):
            return {}
        self.quota.check(key.resource, obj)
        more = minus(usage_of(key.resource, obj, now), self.objects.get(key, {}))
        self.quota.check_room(plus(self.total_used(), self.held), more)
        return only(more, self.quota.hard)

    def hold(self, number: int, key: Key, amounts: Amounts) -> None:
        """Keeps amounts for a write on its way."""
        self.holds[number] = (key, amounts)
        self.held = plus(self.held, amounts)

    def release(self, number: int) -> None:
        """The write is stored and counted, or has failed."""
        _, amounts = self.holds.pop(number, (None, {}))
        self.held = minus(self.held, amounts)

    def total_used(self) -> dict[str, Quantity]:
        """What is used of all that is limited."""
        return dict.fromkeys(self.quota.hard, ZERO) | self.used


class Ledger:
    """The books of all namespaces with quotas."""

    def __init__(self) -> None:
        self._books: dict[str, dict[str, Book]] = {}
        self._last_hold = 0

    def __bool__(self) -> bool:
        return bool(self._books)

    def book(self, key: Key) -> Book | None:
        """The book of a ResourceQuota."""
        return self._books.get(key.namespace, {}).get(key.name)

    def books(self, namespace: str) -> Iterable[Book]:
        """Those of a namespace, by name."""
        return [book for _, book in sorted(self._books.get(namespace, {}).items())]

    def open(self, key: Key, quota: Quota) -> Book:
        """A new book for a quota that is new or has changed; holds go on."""
        before = self.book(key)
        book = Book(quota)
        for number, (held, amounts) in (before.holds if before else {}).items():
            book.hold(number, held, only(amounts, quota.hard))
        self._books.setdefault(key.namespace, {})[key.name] = book
        return book

    def close(self, key: Key) -> None:
        """The quota is gone."""
        books = self._books.get(key.namespace, {})
        books.pop(key.name, None)
        if not books:
            self._books.pop(key.namespace, None)

    def reserve(self, key: Key, obj: Object, now: float) -> Callable[[], None]:
        """Holds what a write will use, in all quotas or in none; returns how to let go of it.

        Raises Refused by the first quota, by name, in which there is no room.
        """
        books = list(self.books(key.namespace))
        wanted = [(book, book.admit(key, obj, now)) for book in books]
        self._last_hold += 1
        number = self._last_hold
        for book, amounts in wanted:
            if amounts:
                book.hold(number, key, amounts)

        def release() -> None:
            for book in self.books(key.namespace):
                book.release(number)

        return release
