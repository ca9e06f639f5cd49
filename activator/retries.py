"""How often requests may be tried again, and which may. Pure: time is an argument.

A request that a pod refused before anything was sent goes to another pod; that costs nobody
anything, since the pod that refused gets nothing until a probe has reached it. One whose connection
ended without an answer is sent again, if it may reach an application twice: to the same pod, which
refuses the connection if it is gone. It may not do so at once: of a process that dies the kernel
closes connections before it closes the listening socket, and so a new connection may come between
and be lost as well. Hence twice, and no oftener. That, and a second refusal of the same request, is
bounded by a **budget** for each target, as Finagle and Linkerd have it: a fifth of its requests of
the last ten seconds, and ten a second in any case. So when an application fails as a whole its load
grows by a fifth and not by a multiple.
"""

from __future__ import annotations

from math import exp

from activator.http.events import RequestHead
from activator.http.fields import find_field

MOST_REPEATS = 2
"""How often one request is sent again at most."""
SHARE = 0.2
LEAST_PER_SECOND = 10.0
WINDOW_SECONDS = 10.0

_SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))
_KEYS = (b"idempotency-key", b"x-idempotency-key")


def may_repeat(head: RequestHead) -> bool:
    """Whether a request may reach an application twice.

    By net/http's rule, which Knative's data path goes by. RFC 9110 calls PUT and DELETE idempotent
    as well; clients know better than we whether theirs are, and may say so.
    """
    return head.method in _SAFE or any(find_field(head.fields, key) is not None for key in _KEYS)


class RetryBudget:
    """One target's. What its requests have paid in ebbs away over ``WINDOW_SECONDS``."""

    __slots__ = ("_balance", "_reserve", "_seen", "_spent_at", "spent", "wanting")

    def __init__(self, now: float) -> None:
        self._balance = 0.0
        self._reserve = LEAST_PER_SECOND * WINDOW_SECONDS
        self._seen = 0
        self._spent_at = now
        self.spent = 0
        """How many retries there were."""
        self.wanting = 0
        """How many there were not, for want of budget."""

    def spend(self, requests: int, now: float) -> bool:
        """Take one retry out, if there is one, after so many requests since the target began.

        Nothing is counted while nothing fails: what came since the last time is spread evenly over
        it.
        """
        self._pay_in(requests, now)
        if self._balance >= 1.0:
            self._balance -= 1.0
        elif self._reserve >= 1.0:
            self._reserve -= 1.0
        else:
            self.wanting += 1
            return False
        self.spent += 1
        return True

    def _pay_in(self, requests: int, now: float) -> None:
        seconds = now - self._spent_at
        paid = SHARE * (requests - self._seen)
        self._spent_at, self._seen = now, requests
        self._reserve = min(
            self._reserve + LEAST_PER_SECOND * seconds, LEAST_PER_SECOND * WINDOW_SECONDS
        )
        if seconds <= 0.0:
            self._balance += paid
            return
        # The balance follows b' = rate - b / window.
        kept = exp(-seconds / WINDOW_SECONDS)
        self._balance = self._balance * kept + paid * WINDOW_SECONDS / seconds * (1.0 - kept)
