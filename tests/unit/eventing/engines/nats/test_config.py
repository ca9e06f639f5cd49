"""Upstream's words for streams and consumers."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.engines.nats.config import StreamOptions


def test_nothing_said_is_a_stream_that_drops_nothing() -> None:
    options = StreamOptions.of({})
    assert options == StreamOptions()
    assert (options.discard, options.storage, options.replicas) == ("new", "file", 1)


def test_what_is_said_counts() -> None:
    options = StreamOptions.of(
        {
            "stream": {
                "replicas": 3,
                "storage": "Memory",
                "discard": "Old",
                "retention": "Interest",
                "maxBytes": 100,
                "maxMsgs": 7,
                "maxAge": "1h30m",
                "maxMsgSize": 10,
                "duplicateWindow": "5s",
                "placement": {"cluster": "east", "tags": ["ssd"]},
                "additionalSubjects": ["orders.>"],
            },
            "consumer": {"ackWait": "1m0s", "maxAckPending": 12},
        }
    )
    assert options == StreamOptions(
        replicas=3,
        storage="memory",
        discard="old",
        keeps=False,
        max_bytes=100,
        max_messages=7,
        max_age_ns=5400 * 10**9,
        max_message_bytes=10,
        duplicate_ns=5 * 10**9,
        placement=("east", ("ssd",)),
        additional_subjects=("orders.>",),
        ack_seconds=60.0,
        max_pending=12,
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"stream": "x"}, "stream is no object"),
        ({"stream": {"replicas": "3"}}, "replicas: '3' is no whole number"),
        ({"stream": {"storage": "Tape"}}, "storage: 'Tape' is none of File, Memory"),
        ({"stream": {"maxAge": "soon"}}, "maxAge: "),
        ({"stream": {"mirror": {"name": "x"}}}, "are not supported"),
        ({"stream": {"additionalSubjects": "x"}}, "additionalSubjects is no list of texts"),
        ({"consumer": {"ackWait": 5}}, "ackWait: "),
    ],
)
def test_what_means_nothing_is_named(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StreamOptions.of(config)
