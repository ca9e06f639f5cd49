"""What the coffee shop knows, without sockets and files: the menu, orders, how events change them.

``read_order`` is what the counter takes, ``make_coffee`` what a barista makes of it, ``Shop`` what
the board shows. An order's id goes through all of it: what is done twice for one id is counted.
"""

TYPE_CHECKING = False  # importing it from typing would make a cold start longer
if TYPE_CHECKING:
    from typing import Any

    Data = dict[str, Any]

MENU = ("espresso", "cappuccino", "latte", "flat white", "filter", "cocoa")
ORDERED = "coffee.ordered"
MADE = "coffee.made"
KINDS = (ORDERED, MADE)
LONGEST_TEXT = 40
SHOWN = 200  # orders that the board shows; counts are of all


class BadOrder(Exception):
    """The order cannot be taken; the text says what to change."""


def read_order(given: "Any", new_id: str, now: float) -> "Data":
    """Reads an order as a guest gives it; one without an id gets ``new_id``. Raises BadOrder."""
    if not isinstance(given, dict):
        raise BadOrder('an order is a JSON object such as {"drink": "latte", "name": "Ada"}')
    drink, name, key = given.get("drink"), given.get("name", "guest"), given.get("id", new_id)
    if drink not in MENU:
        raise BadOrder(f"there is no drink {drink!r}; choose one of: {', '.join(MENU)}")
    for field, value in (("name", name), ("id", key)):
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
            raise BadOrder(f"{field} has to be a text of 1 to {LONGEST_TEXT} characters")
    if not all(c.isascii() and (c.isalnum() or c in "-_.") for c in key):
        raise BadOrder("id has to be letters, digits, '-', '_' and '.'")
    return {"id": key, "drink": drink, "name": name, "ordered": now}


def make_coffee(order: "Data", barista: str, making: str, now: float) -> "Data":
    """Returns the coffee of an order: who made it, and when; ``making`` is the name of this act."""
    return {**order, "barista": barista, "making": making, "made": now}


class Shop:
    """All orders and coffees, as events told of them in whatever order and however often."""

    def __init__(self) -> None:
        self.orders: dict[str, Data] = {}
        self.made = 0
        self.twice = 0  # coffees made although their order had one: poured away
        self.again = 0  # events that had been here before
        self._seen: set[tuple[str, ...]] = set()

    def take(self, kind: str, data: "Data") -> "Data":
        """Takes what an event of ``KINDS`` says; returns the order as it is now."""
        key, act = data["id"], data.get("making" if kind == MADE else "via")
        order = self.orders.setdefault(key, {})
        if (kind, key, str(act)) in self._seen:
            self.again += 1
        elif kind == ORDERED:
            order.update({**data, **order, "via": act})
        elif "made" in order:
            self.twice += 1
            order["twice"] = order.get("twice", 0) + 1
        else:
            order.update(data)
            self.made += 1
        self._seen.add((kind, key, str(act)))
        return order

    def counts(self) -> "dict[str, int]":
        """Returns the numbers at the top of the board; ``queue`` is what baristas are scaled by."""
        waiting = [order for order in self.orders.values() if "made" not in order]
        return {
            "ordered": len(self.orders),
            "made": self.made,
            "waiting": len(waiting),
            "queue": sum(order.get("via") == "queue" for order in waiting),
            "twice": self.twice,
            "again": self.again,
        }

    def newest(self) -> "list[Data]":
        """Returns the orders that are shown, oldest first."""
        return list(self.orders.values())[-SHOWN:]
