"""Which shards of a stream are read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventing.sources.integration.aws.shards import Shard, Shards


def described(*pairs: tuple[str, str | None]) -> list[dict[str, str]]:
    return [
        {"ShardId": name, **({"ParentShardId": parent} if parent else {})} for name, parent in pairs
    ]


def test_a_child_is_read_after_its_parent() -> None:
    shards = Shards()
    shards.update(described(("a", "gone"), ("b", "a"), ("c", None)))
    [a, c] = shards.readable()
    assert (a.shard_id, c.shard_id) == ("a", "c")
    a.is_done = True
    assert [each.shard_id for each in shards.readable()] == ["b", "c"]


def test_what_is_known_of_a_shard_stays_till_the_shard_is_gone() -> None:
    shards = Shards()
    shards.update(described(("a", None)))
    [a] = shards.readable()
    a.last = "7"
    shards.update(described(("a", None), ("b", "a")))
    assert shards.readable() == [a]
    shards.update(described(("b", "a")))
    assert [each.shard_id for each in shards.readable()] == ["b"]


def test_a_shard_is_read_on_after_its_last_record() -> None:
    assert Shard("a").where() == {"ShardIteratorType": "TRIM_HORIZON"}
    after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "7"}
    assert Shard("a", last="7").where() == after


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_all_shards_are_read_and_none_before_its_parent(parents: list[int]) -> None:
    pairs = [(f"{n}", f"{p}" if p < n else None) for n, p in enumerate(parents)]
    shards = Shards()
    shards.update(described(*pairs))
    done: list[str] = []
    while readable := shards.readable():
        readable[0].is_done = True
        done.append(readable[0].shard_id)
    assert sorted(done) == sorted(name for name, _ in pairs)
    assert all(parent is None or done.index(parent) < done.index(name) for name, parent in pairs)


def test_one_that_begins_anew_goes_on_where_the_last_one_was() -> None:
    shards = Shards({"a": "7", "gone": "9"})
    shards.update([{"ShardId": "a"}, {"ShardId": "b", "ParentShardId": "a"}])
    [first] = shards.readable()
    assert first.where()["SequenceNumber"] == "7"
    first.is_done = True
    [second] = shards.readable()
    assert second.where() == {"ShardIteratorType": "TRIM_HORIZON"}
    second.last = "8"
    assert shards.lasts() == {"a": "7", "b": "8"}
    shards.update([{"ShardId": "b", "ParentShardId": "a"}])
    assert shards.lasts() == {"b": "8"}
