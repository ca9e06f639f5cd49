"""What a consumer is given: from tails, by reading on, once more, and what has gone before."""

from __future__ import annotations

from collections.abc import Mapping

from eventing.engines.cursor import CursorState
from eventing.engines.event import StoredEvent
from eventing.engines.kafka.share import At, Share, at_of, text_of
from eventing.engines.kafka.tails import Portion, Tail
from eventing.engines.kafka.taking import Taking
from eventing.engines.kafka.usage import Usage


def an_event(offset: int) -> StoredEvent:
    return StoredEvent(1, 255, b"ce-id: %d\r\n" % offset, b"", b"", None, At(0, offset))


class Partition:
    """One partition that holds what lies from ``oldest`` to ``end``."""

    def __init__(self, oldest: int, end: int) -> None:
        self.oldest, self.end = oldest, end
        self.tails: Mapping[int, Tail] = {0: Tail(1)}
        self.tails[0].add(end - 1, an_event(end - 1))
        self.told: list[tuple[int, int]] = []

    async def read_on(self, places: Mapping[int, int], max_bytes: int) -> Mapping[int, Portion]:
        first = max(self.oldest, places[0])
        events = [an_event(offset) for offset in range(first, self.end)]
        return {0: Portion(events, self.end, self.oldest if first > places[0] else 0)}

    async def wait(self) -> None:
        raise AssertionError("there is something")

    def gone(self, consumer_id: str, partition: int, count: int) -> None:
        self.told.append((partition, count))


async def test_what_retention_took_is_told_of() -> None:
    partition = Partition(7, 10)
    taking = Taking(partition, "c")
    taking.begin(0, CursorState(5, (2, 4)))
    assert [at(event) for event in await taking.next(1000)] == [7, 8, 9]
    assert partition.told == [(0, 4)], "2 and 4, 5 and 6"
    share = taking.share(0)
    assert share is not None
    assert share.cursor.state().open == (7, 8, 9)


async def test_what_was_settled_and_has_gone_is_nothing_to_tell() -> None:
    partition = Partition(7, 10)
    taking = Taking(partition, "c")
    taking.begin(0, CursorState(8, (4, 7)))
    assert [at(event) for event in await taking.next(1000)] == [7, 8, 9]
    assert partition.told == [(0, 1)]


async def test_what_was_set_aside_and_has_gone_is_settled() -> None:
    partition = Partition(7, 10)
    taking = Taking(partition, "c")
    taking.begin(0, CursorState(10, (), {3: "held", 8: "held"}))
    assert await taking.again(0, 3) is None
    assert partition.told == [(0, 1)]
    again = await taking.again(0, 8)
    assert again is not None
    assert at(again) == 8
    assert await taking.again(0, 8) is None, "it is not set aside any more"
    share = taking.share(0)
    assert share is not None
    assert (share.cursor.state().open, share.cursor.parked()) == ((8,), {})


async def test_a_partition_that_comes_back_is_gone_on_with_unless_others_had_it() -> None:
    taking = Taking(Partition(0, 2), "c")
    taking.begin(0, CursorState(0))
    await taking.next(1000)
    taking.end(0)
    taking.begin(0, CursorState(0))
    assert await taking.again(0, 0) is None
    assert taking.shares[0].following == 2, "nobody has saved anything meanwhile"
    taking.end(0)
    taking.begin(0, CursorState(1))
    assert taking.shares[0].following == 1


def test_positions_are_texts() -> None:
    assert at_of(text_of(At(3, 17))) == At(3, 17)


def test_of_a_share_nothing_has_passed_that_is_still_there() -> None:
    assert Share(CursorState(5, (2,))).passed(2) == 0


def test_usage_is_what_the_slowest_has_not_settled_and_what_came_since() -> None:
    usage = Usage()
    usage.pending_bytes += 2000
    assert usage.needed_bytes == 2000
    usage.answered(1500, 1, is_stored=True)
    usage.answered(500, 1, is_stored=False)
    assert (usage.pending_bytes, usage.unseen_bytes, usage.needed_bytes) == (0, 1500, 1500)
    usage.looked({0: 1}, {0: 3}, {"a": 2, "b": 0}, 1500)
    stats = usage.stats("why")
    assert (stats.events, stats.problem, usage.unseen_bytes) == (2, "why", 0)
    assert stats.needed_bytes == stats.size_bytes > 2000


def at(event: StoredEvent) -> int:
    position = event.position
    assert isinstance(position, At)
    return position.offset
