"""What a rabbitmq trigger says, and which of it goes together. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.keda.scalers.authentication import Authentication
from hearth.keda.scalers.params import AUTH, ENV, METADATA, Seconds, param
from hearth.keda.scalers.rabbitmq_queue import MODES
from hearth.keda.scalers.seam import ConfigError

_SCHEMES = {"amqp": "amqp", "amqps": "amqp", "http": "http", "https": "http"}
_DEFAULT_LENGTH = 20.0


@dataclass(frozen=True)
class Settings(Authentication):
    """Those of OAuth 2 and of the client's certificate are inherited."""

    queue: str = param("queueName")
    given_mode: str = param("mode", optional=True, default="Unknown")
    queue_length: float = param("queueLength", optional=True)
    given_value: float = param("value", optional=True)
    activation: float = param("activationValue", optional=True)
    host: str = param("host", order=(METADATA, AUTH, ENV))
    given_protocol: str = param("protocol", order=(METADATA, AUTH), default="auto")
    vhost: str = param("vhostName", order=(METADATA, AUTH), optional=True)
    use_regex: bool = param("useRegex", optional=True)
    exclude_unacknowledged: bool = param("excludeUnacknowledged", optional=True)
    page_size: int = param("pageSize", default="100")
    operation: str = param("operation", default="sum")
    timeout: Seconds = param("timeout", optional=True)
    username: str = param("username", order=(AUTH, ENV), optional=True)
    password: str = param("password", order=(AUTH, ENV), optional=True)
    key_password: str = param("keyPassword", order=(AUTH,), optional=True)
    tls: str = param("tls", order=(AUTH,), default="disable")
    unsafe_ssl: bool = param("unsafeSsl", optional=True)
    workload_identity: str = param("workloadIdentityResource", order=(AUTH,), optional=True)

    def check(self) -> None:
        """Raises ConfigError for the first thing that does not go with another."""
        for wrong, words in (*self._connection_faults(), *self._oauth_faults()):
            if wrong:
                raise ConfigError(words)
        if self.protocol != "http":
            if self.use_regex:
                raise ConfigError("configure useRegex=true only with HTTP protocol")
            if self.exclude_unacknowledged:
                raise ConfigError("configure excludeUnacknowledged=true only with HTTP protocol")
        if self.given_mode != "Unknown" or self.given_value:
            for wrong, words in self._trigger_faults():
                if wrong:
                    raise ConfigError(words)

    @property
    def protocol(self) -> str:
        """``amqp`` or ``http``. Raises ConfigError."""
        if self.given_protocol != "auto":
            return self.given_protocol
        scheme, colon, _ = self.host.partition("://")
        if not colon or scheme not in _SCHEMES:
            raise ConfigError(f"unknown host URL scheme: `{scheme if colon else ''}`")
        return _SCHEMES[scheme]

    @property
    def mode(self) -> str:
        """What is measured."""
        return "QueueLength" if self.given_mode == "Unknown" else self.given_mode

    @property
    def value(self) -> float:
        """The target."""
        return self.queue_length or self.given_value or _DEFAULT_LENGTH

    def _connection_faults(self) -> tuple[tuple[bool, str], ...]:
        return (
            (
                self.given_protocol not in ("amqp", "http", "auto"),
                "the protocol has to be either `amqp`, `http`, or `auto` but is "
                f"`{self.given_protocol}`",
            ),
            (
                self.tls not in ("enable", "disable"),
                f"incorrect value for TLS given: {self.tls}",
            ),
            (bool(self.cert) != bool(self.key), "both key and certificate must be provided"),
            (self.page_size < 1, "pageSize should be 1 or greater"),
            (
                bool(self.username) != bool(self.password),
                "username and password must be given together",
            ),
            (
                bool(self.workload_identity),
                "workload identity is not supported here: give a username or OAuth2",
            ),
            (
                self.operation not in ("sum", "avg", "max"),
                f"operation mode {self.operation} must be one of sum, avg, max",
            ),
        )

    def _oauth_faults(self) -> tuple[tuple[bool, str], ...]:
        given = (self.oauth_token_uri, self.client_id, self.client_secret)
        return (
            (
                any(given) and not all(given),
                "OAuth2 requires tokenUrl clientId and clientSecret to be configured in "
                "TriggerAuthentication",
            ),
            (
                any(given) and self.protocol == "amqp",
                "OAuth2 authentication is only supported with HTTP protocol, not AMQP",
            ),
            (
                any(given) and bool(self.username),
                "OAuth2 authentication cannot be combined with username/password authentication "
                "or Azure Workload Identity",
            ),
        )

    def _trigger_faults(self) -> tuple[tuple[bool, str], ...]:
        known = f"{', '.join(MODES[:-1])} or {MODES[-1]}"
        return (
            (self.queue_length != 0, "queueLength is deprecated; use mode and value"),
            (self.given_mode == "Unknown", "mode must be specified"),
            (not self.given_value, "value must be specified"),
            (self.mode not in MODES, f"trigger mode {self.mode} must be one of {known}"),
            (
                self.protocol != "http" and self.mode != "QueueLength",
                f"protocol {self.protocol} not supported; must be HTTP to use trigger mode "
                f"{self.mode}",
            ),
            (
                self.protocol == "amqp" and self.timeout > 0,
                f"AMQP protocol doesn't support custom timeouts: {self.timeout * 1e9:.0f}",
            ),
        )
