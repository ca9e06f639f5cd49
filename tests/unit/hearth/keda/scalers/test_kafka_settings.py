"""What triggers of Kafka may say, and what not."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.kafka_settings import ApacheSettings, KafkaSettings
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.seam import ConfigError, TriggerConfig

_SAID = {"bootstrapServers": "a:1,b:2", "consumerGroup": "g", "topic": "t"}


def config(type_: str, said: dict[str, str], **auth: str) -> TriggerConfig:
    return TriggerConfig(type_, {**_SAID, **said}, auth=auth)


def test_both_read_what_they_have_in_common():
    for kind in (KafkaSettings, ApacheSettings):
        read = read_params(kind, config("kafka", {"partitionLimitation": "1,3-5"}))
        assert (read.servers, read.topics, read.partitions) == (["a:1", "b:2"], ["t"], [1, 3, 4, 5])
        assert (read.rules.threshold, read.rules.activation) == (10, 0)


@pytest.mark.parametrize(
    ("said", "auth", "words"),
    [
        ({"lagThreshold": "-1"}, {}, '"lagThreshold" must be positive number'),
        ({"activationLagThreshold": "-1"}, {}, "must be a non-negative number"),
        (
            {"allowIdleConsumers": "true", "limitToPartitionsWithLag": "true"},
            {},
            "allowIdleConsumers and limitToPartitionsWithLag cannot be set simultaneously",
        ),
        (
            {"topic": "", "limitToPartitionsWithLag": "true"},
            {},
            "topic must be specified when usin",
        ),
        ({"topic": "", "fullMetadata": "false"}, {}, "when fullMetadata is false"),
        ({"offsetResetPolicy": "none"}, {}, "must be one of [latest earliest]"),
        ({"tls": "enable"}, {"cert": "c"}, "key must be provided with cert"),
        ({"tls": "enable"}, {"key": "k"}, "cert must be provided with key"),
        ({"sasl": "plaintext"}, {}, "no username given"),
        ({"sasl": "scram_sha512"}, {"username": "u"}, "no password given"),
        (
            {"sasl": "oauthbearer"},
            {"username": "u", "password": "p"},
            "error parsing OAuth token provider configuration: no oauth token endpoint uri given",
        ),
        ({"sasl": "gssapi"}, {}, "sasl gssapi is not supported here"),
        ({"sasl": "magic"}, {}, "must be one of [none plaintext scram_sha256"),
    ],
)
def test_what_kafka_refuses(said, auth, words):
    with pytest.raises(ConfigError) as refused:
        read_params(KafkaSettings, config("kafka", said, **auth))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("said", "auth", "words"),
    [
        ({"lagThreshold": "-1"}, {}, "lagThreshold must be a positive number"),
        ({"activationLagThreshold": "-1"}, {}, "activationLagThreshold must be a positive number"),
        ({"tls": "enable"}, {"cert": "c"}, "can't set only one of cert or key when using TLS"),
        ({"sasl": "plaintext"}, {}, "username and password must be set when using SASL/PLAINTEXT"),
        ({"sasl": "aws_msk_iam"}, {}, "sasl aws_msk_iam is not supported here"),
    ],
)
def test_what_apache_kafka_refuses(said, auth, words):
    with pytest.raises(ConfigError) as refused:
        read_params(ApacheSettings, config("apache-kafka", said, **auth))
    assert words in str(refused.value)
