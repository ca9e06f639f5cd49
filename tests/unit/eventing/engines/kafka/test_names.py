"""Names that nobody else names."""

from __future__ import annotations

import pytest

from eventing.engines.kafka import names


def test_topics_of_keys_are_topics_and_differ() -> None:
    keys = ["a", "a/b", "a_b", "ä" * 300, "b" * 300, "b" * 301]
    topics = [names.check_topic(names.topic_of("hearth", key)) for key in keys]
    assert len(set(topics)) == len(keys)
    assert topics[0] == "hearth-a"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "a" * 250])
def test_no_topic(name: str) -> None:
    with pytest.raises(ValueError, match="no topic"):
        names.check_topic(name)
