"""What a trigger of RabbitMQ may say, and what not."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.rabbitmq_settings import Settings
from hearth.keda.scalers.seam import ConfigError, TriggerConfig


def settings(auth: dict[str, str] | None = None, **said: str) -> Settings:
    metadata = {"queueName": "jobs", "host": "http://here:15672/", **said}
    return read_params(Settings, TriggerConfig("rabbitmq", metadata, auth=auth or {}))


def test_without_more_it_is_twenty_messages():
    read = settings()
    assert (read.mode, read.value, read.protocol) == ("QueueLength", 20, "http")


def test_the_old_way_to_say_a_length():
    assert settings(queueLength="7").value == 7


def test_the_protocol_is_that_of_the_url():
    assert settings(host="amqps://here").protocol == "amqp"


@pytest.mark.parametrize(
    ("said", "auth", "words"),
    [
        ({"protocol": "mqtt"}, {}, "the protocol has to be either `amqp`, `http`, or `auto`"),
        ({"host": "here:5672"}, {}, "unknown host URL scheme: ``"),
        ({"host": "ftp://here"}, {}, "unknown host URL scheme: `ftp`"),
        ({}, {"tls": "on"}, "incorrect value for TLS given: on"),
        ({}, {"cert": "c"}, "both key and certificate must be provided"),
        ({"pageSize": "-1"}, {}, "pageSize should be 1 or greater"),
        ({}, {"username": "u"}, "username and password must be given together"),
        ({}, {"workloadIdentityResource": "r"}, "workload identity is not supported"),
        ({"operation": "min"}, {}, "operation mode min must be one of sum, avg, max"),
        ({}, {"clientID": "c"}, "OAuth2 requires tokenUrl clientId and clientSecret"),
        ({"host": "amqp://here", "useRegex": "true"}, {}, "configure useRegex=true only with HTTP"),
        (
            {"host": "amqp://here", "excludeUnacknowledged": "true"},
            {},
            "configure excludeUnacknowledged=true only with HTTP protocol",
        ),
        ({"queueLength": "1", "value": "2"}, {}, "queueLength is deprecated; use mode and value"),
        ({"value": "2"}, {}, "mode must be specified"),
        ({"mode": "QueueLength"}, {}, "value must be specified"),
        ({"mode": "Depth", "value": "1"}, {}, "trigger mode Depth must be one of QueueLength, Mes"),
        (
            {"host": "amqp://here", "mode": "MessageRate", "value": "1"},
            {},
            "protocol amqp not supported; must be HTTP to use trigger mode MessageRate",
        ),
        (
            {"host": "amqp://here", "mode": "QueueLength", "value": "1", "timeout": "1s"},
            {},
            "AMQP protocol doesn't support custom timeouts: 1000000000",
        ),
    ],
)
def test_what_is_refused(said, auth, words):
    with pytest.raises(ConfigError) as refused:
        settings(auth, **said)
    assert words in str(refused.value)


def test_oauth_is_for_http_and_excludes_other_ways():
    oauth = {"oauthTokenURI": "https://t", "clientID": "c", "clientSecret": "s"}
    assert settings(oauth).token_source.uri == "https://t"
    with pytest.raises(ConfigError, match="only supported with HTTP protocol, not AMQP"):
        settings(oauth, host="amqp://here")
    with pytest.raises(ConfigError, match="cannot be combined with username/password"):
        settings({**oauth, "username": "u", "password": "p"})
