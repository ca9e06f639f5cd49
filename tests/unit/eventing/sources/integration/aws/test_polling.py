"""Pauses between looks, and what is seen in a look."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from eventing.api.integration import S3, DynamoDbStreams
from eventing.aws.faults import AwsFault
from eventing.sources.integration.aws.ddbstreams import since_of
from eventing.sources.integration.aws.polling import pause_after
from eventing.sources.integration.aws.s3 import check_move, s3_event
from eventing.sources.integration.aws.sqs import lanes_of, sqs_event


def test_pauses_grow_up_to_a_minute() -> None:
    assert pause_after(0, 0.2) == 0.2
    assert [pause_after(n, 0.2) for n in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert pause_after(1, 10.0) == 20.0
    assert pause_after(10_000, 0.0) == 60.0


def message(name: str, group: str = "") -> dict[str, Any]:
    attributes = {"MessageGroupId": group} if group else {}
    return {"MessageId": name, "Body": "b", "Attributes": attributes}


def test_messages_of_a_group_are_in_one_lane() -> None:
    given = [message("1", "a"), message("2", "b"), message("3", "a"), message("4"), message("5")]
    lanes = [[each["MessageId"] for each in lane] for lane in lanes_of(given)]
    assert sorted(lanes) == [["1", "3"], ["2"], ["4"], ["5"]]


def test_a_message_has_the_time_it_was_sent_at() -> None:
    sent = {**message("m"), "Attributes": {"SentTimestamp": "1000"}}
    event = sqs_event(sent, {"team": "one"})
    assert event.attributes["time"] == "1970-01-01T00:00:01Z"
    assert (event.attributes["id"], event.attributes["team"]) == ("m", "one")


def test_an_object_of_a_strange_type_is_bytes() -> None:
    now = datetime.datetime.fromtimestamp(5, datetime.UTC)
    listed = {"Key": "k", "ETag": '"e"', "LastModified": now}
    event = s3_event("b", listed, "what is this", b"", {})
    assert event.attributes["datacontenttype"] == "application/octet-stream"
    again = s3_event("b", listed, "text/plain", b"", {})
    assert again.attributes["id"] == event.attributes["id"]
    other = s3_event("b", {**listed, "ETag": '"f"'}, "text/plain", b"", {})
    assert other.attributes["id"] != event.attributes["id"]


def test_a_move_within_a_bucket_leaves_what_is_read() -> None:
    moves: dict[str, Any] = {"move_after_read": True, "destination_bucket": "b"}
    check_move(S3(), "b")
    check_move(S3(**moves, prefix="in/", destination_bucket_prefix="done/"), "b")
    check_move(S3(**moves), "other")
    with pytest.raises(AwsFault):
        check_move(S3(**moves, prefix="in/"), "b")


def test_where_a_stream_is_read_from() -> None:
    assert since_of(DynamoDbStreams(stream_iterator_type="FROM_LATEST"), 7.0) == 7.0
    assert since_of(DynamoDbStreams(stream_iterator_type="FROM_START"), 7.0) == 0.0
