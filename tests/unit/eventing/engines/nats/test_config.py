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
    ("consumer", "begin", "more"),
    [
        ({"deliverPolicy": "New"}, {}, {}),
        ({"deliverPolicy": "All"}, {"deliver_policy": "all"}, {}),
        (
            {"deliverPolicy": "ByStartSequence", "optStartSeq": 7},
            {"deliver_policy": "by_start_sequence", "opt_start_seq": 7},
            {},
        ),
        (
            {"deliverPolicy": "ByStartTime", "optStartTime": "2026-01-02T03:04:05Z"},
            {"deliver_policy": "by_start_time", "opt_start_time": "2026-01-02T03:04:05+00:00"},
            {},
        ),
        (
            {"replayPolicy": "Original", "filterSubject": "a.>", "sampleFrequency": "30%"},
            {},
            {"replay_policy": "original", "filter_subject": "a.>", "sample_freq": "30%"},
        ),
    ],
)
def test_consumers_are_made_as_is_said(
    consumer: dict[str, Any], begin: dict[str, Any], more: dict[str, Any]
) -> None:
    options = StreamOptions.of({"consumer": consumer})
    assert (options.begin, options.consumer) == (begin, more)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"stream": "x"}, "stream is no object"),
        ({"stream": {"replicas": "3"}}, "replicas: '3' is no whole number"),
        ({"stream": {"storage": "Tape"}}, "storage: 'Tape' is none of File, Memory"),
        ({"stream": {"maxAge": "soon"}}, "maxAge: "),
        ({"stream": {"mirror": {"name": "x"}}}, "stream.mirror: not supported"),
        ({"stream": {"additionalSubjects": "x"}}, "additionalSubjects is no list of texts"),
        ({"stream": {"noAck": True}}, "stream.noAck: not supported"),
        ({"consumer": {"ackWait": 5}}, "ackWait: "),
        ({"consumer": {"deliverPolicy": "Some"}}, "deliverPolicy: 'Some' is none of New, All"),
        ({"consumer": {"deliverPolicy": "ByStartTime"}}, "optStartTime: "),
    ],
)
def test_what_means_nothing_is_named(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StreamOptions.of(config)
