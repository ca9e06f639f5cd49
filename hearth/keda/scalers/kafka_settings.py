"""What triggers of the types ``kafka`` and ``apache-kafka`` say. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.keda.scalers.kafka_lag import Rules
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param
from hearth.keda.scalers.seam import ConfigError

_BOTH, _OR_ENV = (METADATA, AUTH), (METADATA, ENV)
_POLICIES, _SWITCH = ("latest", "earliest"), ("enable", "disable")
_WITH_PASSWORD = ("plaintext", "scram_sha256", "scram_sha512")


@dataclass(frozen=True)
class Common:
    """What both types have."""

    servers: list[str] = param("bootstrapServers", order=_OR_ENV)
    group: str = param("consumerGroup", order=_OR_ENV)
    topics: list[str] = param("topic", order=_OR_ENV, optional=True)
    partitions: list[int] = param("partitionLimitation", optional=True, range_separator="-")
    lag_threshold: int = param("lagThreshold", default="10")
    activation: int = param("activationLagThreshold", default="0")
    reset_policy: str = param("offsetResetPolicy", default="latest", enum=_POLICIES)
    allow_idle: bool = param("allowIdleConsumers", default="false")
    exclude_persistent: bool = param("excludePersistentLag", default="false")
    zero_on_invalid: bool = param("scaleToZeroOnInvalidOffset", default="false")
    limit_to_lagging: bool = param("limitToPartitionsWithLag", default="false")
    even: bool = param("ensureEvenDistributionOfPartitions", default="false")
    tls: str = param("tls", order=_BOTH, default="disable", enum=_SWITCH)
    ca: str = param("ca", order=(AUTH,), optional=True)
    cert: str = param("cert", order=(AUTH,), optional=True)
    key: str = param("key", order=(AUTH,), optional=True)
    key_password: str = param("keyPassword", order=(AUTH,), optional=True)
    username: str = param("username", order=(AUTH,), optional=True)
    password: str = param("password", order=(AUTH,), optional=True)
    aws_region: str = param("awsRegion", optional=True)

    @property
    def rules(self) -> Rules:
        """How lag counts."""
        return Rules(
            self.lag_threshold,
            self.activation,
            self.reset_policy == "earliest",
            self.allow_idle,
            self.exclude_persistent,
            self.zero_on_invalid,
            self.limit_to_lagging,
            self.even,
        )

    def _faults(self) -> list[tuple[object, str]]:
        topic, limit = self.topics, self.limit_to_lagging
        return [
            (
                self.allow_idle and limit,
                "allowIdleConsumers and limitToPartitionsWithLag cannot be set simultaneously",
            ),
            (
                limit and not topic,
                "topic must be specified when using limitToPartitionsWithLag",
            ),
        ]


@dataclass(frozen=True)
class KafkaSettings(Common):
    """Of the type ``kafka``."""

    full_metadata: bool = param("fullMetadata", default="true")
    version: str = param("version", optional=True)
    unsafe_ssl: bool = param("unsafeSsl", default="false")
    sasl: str = param(
        "sasl",
        order=_BOTH,
        optional=True,
        enum=("none", *_WITH_PASSWORD, "oauthbearer", "gssapi"),
    )
    token_provider: str = param(
        "saslTokenProvider", order=_BOTH, optional=True, enum=("bearer", "aws_msk_iam")
    )
    scopes: str = param("scopes", order=(AUTH,), optional=True)
    token_uri: str = param("oauthTokenEndpointUri", order=(AUTH,), optional=True)
    extensions: dict[str, str] = param("oauthExtensions", order=(AUTH,), optional=True)

    def check(self) -> None:
        """Raises ConfigError for the first thing that does not go with another."""
        limit, topic = self.limit_to_lagging, self.topics
        simple = [
            (self.lag_threshold <= 0, '"lagThreshold" must be positive number'),
            (self.activation < 0, '"activationLagThreshold" must be a non-negative number'),
            *self._faults(),
            (
                limit and self.even,
                "limitToPartitionsWithLag and ensureEvenDistributionOfPartitions cannot be set "
                "simultaneously",
            ),
            (
                self.even and not topic,
                "topic must be specified when using ensureEvenDistributionOfPartitions",
            ),
            (
                not self.full_metadata and not topic,
                "topic must be specified when fullMetadata is false",
            ),
        ]
        secured = self.tls == "enable"
        _refuse(
            [
                *simple,
                (secured and self.cert and not self.key, "key must be provided with cert"),
                (secured and self.key and not self.cert, "cert must be provided with key"),
                *self._sasl_faults(),
            ]
        )

    def _sasl_faults(self) -> list[tuple[object, str]]:
        named = self.sasl in _WITH_PASSWORD
        bearer = self.sasl == "oauthbearer"
        doing = "error parsing OAuth token provider configuration: "
        unknown = " is not supported here: use plaintext, scram or a bearer token"
        return [
            (named and not self.username, "no username given"),
            (named and not self.password, "no password given"),
            (
                bearer and self.token_provider == "aws_msk_iam",
                f"saslTokenProvider aws_msk_iam{unknown}",
            ),
            (bearer and not self.username, f"{doing}no username given"),
            (bearer and not self.password, f"{doing}no password given"),
            (bearer and not self.token_uri, f"{doing}no oauth token endpoint uri given"),
            (self.sasl == "gssapi", f"sasl gssapi{unknown}"),
        ]


@dataclass(frozen=True)
class ApacheSettings(Common):
    """Of the type ``apache-kafka``."""

    sasl: str = param(
        "sasl",
        order=_BOTH,
        default="none",
        enum=("none", *_WITH_PASSWORD, "gssapi", "aws_msk_iam"),
    )

    def check(self) -> None:
        """Raises ConfigError for the first thing that does not go with another."""
        plain = self.sasl == "plaintext"
        _refuse(
            [
                (self.lag_threshold <= 0, "lagThreshold must be a positive number"),
                (self.activation < 0, "activationLagThreshold must be a positive number"),
                *self._faults(),
                (
                    self.tls == "enable" and bool(self.cert) != bool(self.key),
                    "can't set only one of cert or key when using TLS",
                ),
                (
                    plain and not (self.username and self.password),
                    "username and password must be set when using SASL/PLAINTEXT",
                ),
                (
                    self.sasl in ("gssapi", "aws_msk_iam"),
                    f"sasl {self.sasl} is not supported here: use plaintext or scram",
                ),
            ]
        )


def _refuse(faults: list[tuple[object, str]]) -> None:
    for wrong, words in faults:
        if wrong:
            raise ConfigError(words)
