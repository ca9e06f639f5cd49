"""Tokens for SASL/OAUTHBEARER of Kafka, from an OAuth 2 server that knows the trigger's user."""

from __future__ import annotations

from aiokafka.abc import AbstractTokenProvider

from hearth.keda.scalers import http
from hearth.keda.scalers.authentication import TokenSource
from hearth.keda.scalers.kafka_settings import KafkaSettings
from hearth.keda.scalers.seam import TriggerConfig


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Asks for a token whenever the client library connects."""

    def __init__(self, config: TriggerConfig, settings: KafkaSettings) -> None:
        self._config, self._settings = config, settings

    async def token(self) -> str:
        """Return a token. Raises ScalerError where none is given."""
        source = TokenSource(
            self._settings.token_uri,
            self._settings.username,
            self._settings.password,
            tuple(self._settings.scopes.split(",")),
        )
        async with http.client(self._config) as client:
            return await http.ClientCredentials(source).token(client)

    def extensions(self) -> dict[str, str]:
        """Return what is sent beside the token."""
        return self._settings.extensions
