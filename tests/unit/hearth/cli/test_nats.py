"""What ``hearth up --events`` takes, and what the server is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from hearth.cli.errors import UserError
from hearth.cli.nats import NatsConfig, wants_nats


def test_the_local_log_needs_nothing() -> None:
    assert not wants_nats("local")


def test_an_engine_that_is_none_is_named() -> None:
    with pytest.raises(UserError, match="--events rabbit: give local or nats"):
        wants_nats("rabbit")


def test_who_wants_kafka_is_told_how_to_name_it() -> None:
    with pytest.raises(
        UserError, match=r"starts no Kafka.*kafka-broker-config.*bootstrap\.servers"
    ):
        wants_nats("kafka")


def test_the_server_listens_where_it_is_told_and_lets_in_who_has_the_token() -> None:
    text = NatsConfig(Path('/a "b"'), "127.0.0.1", 4222, 'se"cret').text()
    assert 'listen: "127.0.0.1:4222"' in text
    assert 'token: "se\\"cret"' in text
    assert 'store_dir: "/a \\"b\\"", sync_interval: always' in text
