"""How much a join holds: bytes in memory, and parts that it waits with."""

from __future__ import annotations

from eventing.runtime.accounting import HeldEvents, MemoryBudget
from eventing.runtime.joins.table import JoinTable


class PartsMemory(HeldEvents):
    """Reading also waits while too many parts are waited with."""

    __slots__ = ("_most", "_table", "sending")

    def __init__(self, budget: MemoryBudget, table: JoinTable) -> None:
        super().__init__(budget)
        self._table = table
        self._most = budget.limits.joined_parts
        self.sending = 0
        """Parts of joins that are being sent on."""

    @property
    def is_over(self) -> bool:
        """Whether no further part is to be taken now."""
        return self._table.size + self.sending >= self._most

    def has_gone(self, parts: int) -> None:
        """Note that so many parts were sent on."""
        self.sending -= parts
        self._room.set()

    async def wait_for_room(self, ahead: int | None = None) -> None:
        """Wait until further parts may be taken."""
        while self._table.size + self.sending > self._most // 2:
            self._room.clear()
            await self._room.wait()
