"""What is asked of topics, and Secrets as upstream has them."""

from __future__ import annotations

from typing import Any

import pytest

from eventing.engines.kafka.config import KafkaServer, TopicOptions
from eventing.engines.kafka.security import security_of

CA = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"
USER = {"user": "u", "password": "secret"}


def test_nothing_said_is_a_topic_as_upstreams() -> None:
    assert TopicOptions.of({}) == TopicOptions()
    assert (KafkaServer().partitions, KafkaServer().replicas) == (10, 3)


def test_what_is_said_counts() -> None:
    said = {"topic": "t", "partitions": 1, "replicas": 2, "config": {"retention.ms": "5"}}
    assert TopicOptions.of(said) == TopicOptions("t", 1, 2, {"retention.ms": "5"})
    assert TopicOptions.of({"topic": "t", "external": True}).is_external


@pytest.mark.parametrize(
    "said", [{"topic": "a b"}, {"partitions": 0}, {"replicas": "3"}, {"partitions": True}, {"x": 1}]
)
def test_what_means_nothing_is_named(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(said)) if "topic" not in said else "topic"):
        TopicOptions.of(said)


def test_secrets_do_not_show() -> None:
    server = KafkaServer("a:1,b:2", security_of({"protocol": "SASL_PLAINTEXT", **USER}))
    assert "secret" not in repr(server)
    assert server.common()["bootstrap.servers"] == "a:1,b:2"


@pytest.mark.parametrize(
    ("secret", "settings"),
    [
        ({"protocol": "PLAINTEXT"}, {"security.protocol": "PLAINTEXT"}),
        ({}, {"security.protocol": "PLAINTEXT"}),
        (
            {"protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "ca.crt": CA, **USER},
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": "u",
                "sasl.password": "secret",
                "ssl.ca.pem": CA,
            },
        ),
        (
            {"protocol": "SSL", "user.crt": "C", "user.key": "K"},
            {"security.protocol": "SSL", "ssl.key.pem": "K", "ssl.certificate.pem": "C"},
        ),
        ({"protocol": "SSL", "user.skip": "true"}, {"security.protocol": "SSL"}),
        (
            {"username": "u", "password": "p", "saslType": "SCRAM-SHA-256"},
            {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-256",
                "sasl.username": "u",
                "sasl.password": "p",
            },
        ),
        (
            {"ca.crt": CA, **USER},
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "u",
                "sasl.password": "secret",
                "ssl.ca.pem": CA,
            },
        ),
    ],
)
def test_secrets_as_upstream_has_them(secret: dict[str, str], settings: dict[str, str]) -> None:
    assert security_of(secret) == settings


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ({"protocol": "HTTP"}, r"protocol HTTP unsupported \(key: protocol\), supported protocols"),
        ({"protocol": "SASL_SSL"}, r"\[protocol SASL_SSL\] SASL user required \(key: user\)"),
        ({"protocol": "SASL_SSL", "user": "u"}, r"SASL password required \(key: password\)"),
        (
            {"protocol": "SASL_SSL", "sasl.mechanism": "X", **USER},
            r"unsupported SASL mechanism \(key: sasl.mechanism\)",
        ),
        ({"protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"}, "OAUTHBEARER"),
        ({"protocol": "SSL", "ca.crt": "x"}, r"failed to parse CA certificates \(key: ca.crt\)"),
        ({"protocol": "SSL"}, r'required user key \(key: user.key\) - use "user.skip: true"'),
        ({"protocol": "SSL", "user.key": "k"}, r"required user key \(key: user.crt\)"),
        ({"protocol": "SSL", "user.skip": "maybe"}, r"failed to parse client auth flag"),
    ],
)
def test_what_is_wrong_is_said_in_upstreams_words(secret: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        security_of(secret)
