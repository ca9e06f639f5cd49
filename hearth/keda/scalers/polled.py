"""The skeleton of scalers that are asked: fetch a value, check it, compare it with the activation.

A module of a type reads its settings, says what it measures and how it is fetched; all else that
every such scaler does stands here, and no secret of a trigger leaves by a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import unquote, urlsplit

from hearth.keda.scalers.seam import (
    ConfigError,
    MetricSpec,
    MetricType,
    Reading,
    ScalerError,
    TriggerConfig,
    metric_name,
)
from hearth.timeouts import time_limit

_T = TypeVar("_T")
_R = TypeVar("_R")

_SECRET = re.compile(
    "pass|token|secret|connection|cert|credential|customauth|(api|app|access|query)key",
    re.IGNORECASE,
)
_KEY = "key"
"""A secret in an authentication; in metadata the name of a member."""
_SHORTEST_SECRET = 3
_LONGEST_MESSAGE = 500
_FAREWELL = 1.0
"""Seconds that saying goodbye to a server may take."""


@contextlib.contextmanager
def parsing(*what: str) -> Iterator[None]:
    """Put KEDA's ``error parsing <what> metadata`` before a fault of what is read meanwhile."""
    try:
        yield
    except ConfigError as error:
        words = "".join(f"error parsing {each} metadata: " for each in what)
        raise ConfigError(f"{words}{error}") from error


def need(values: Mapping[str, object], words: str = "no {} given") -> None:
    """Raise ConfigError for the first value that is not there."""
    for name, value in values.items():
        if not value:
            raise ConfigError(words.format(name))


def metric_type(config: TriggerConfig) -> MetricType:
    """Return how the value is compared; raises ConfigError for Utilization, as KEDA does."""
    if config.metric_type is MetricType.UTILIZATION:
        raise ConfigError(
            "error getting scaler metric type: 'Utilization' metric type is unsupported for "
            "external metrics, allowed values are 'Value' or 'AverageValue'"
        )
    return config.metric_type or MetricType.AVERAGE_VALUE


def checked(value: float) -> float:
    """Return a value that may be scaled by; raises ScalerError for NaN, infinite and negative."""
    if not math.isfinite(value) or value < 0:
        raise ScalerError(
            f"the value read is {value:g}, it has to be a number that is not negative"
        )
    return float(value)


def number(value: object) -> float:
    """Return what an answer has as a number, or as the text of one; raises ScalerError else."""
    try:
        if isinstance(value, bool) or value is None:
            raise ValueError(value)
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ScalerError(f"the value read is no number: {str(value)[:60]!r}") from None


def secrets_of(config: TriggerConfig) -> list[str]:
    """Return the values of a trigger that must not be shown: by the names of their parameters."""
    given = [value for key, value in config.auth.items() if _SECRET.search(key) or key == _KEY]
    for key, value in config.metadata.items():
        if _SECRET.search(key):
            given.append(config.env.get(value, "") if key.endswith("FromEnv") else value)
    return given


def password_in(url: str) -> str:
    """Return the password of a URL, as it is and not as it is written, or nothing."""
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return a message without secrets, and not longer than a condition should be."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text[:_LONGEST_MESSAGE]


async def _nothing() -> None:
    pass


class Kept(Generic[_T]):
    """One connection: opened when it is first needed, dropped by a failure, then opened again."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[_T]],
        drop: Callable[[_T], object],
        is_open: Callable[[_T], bool] = lambda held: True,
    ) -> None:
        self._connect, self._drop, self._is_open = connect, drop, is_open
        self._held: _T | None = None

    async def get(self) -> _T:
        """Return the connection, which is opened where there is none."""
        if self._held is None or not self._is_open(self._held):
            self._held = await self._connect()
        return self._held

    async def ask(self, question: Callable[[_T], Awaitable[_R]]) -> _R:
        """Return the answer of what the connection is asked."""
        try:
            return await question(await self.get())
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Drop the connection."""
        held, self._held = self._held, None
        if held is not None:
            with contextlib.suppress(Exception):
                closing = self._drop(held)
                if isinstance(closing, Awaitable):
                    await asyncio.wait_for(closing, _FAREWELL)


@dataclass(slots=True)
class Polled:
    """A scaler of one value (``seam.Scaler``)."""

    spec: MetricSpec
    activation: float
    fetch: Callable[[], Awaitable[float | Reading]]
    """Returns a value, or a Reading where activity is something else than a value above another."""
    doing: str
    """What KEDA says before a failure: ``error inspecting MySQL``."""
    timeout: float
    secrets: tuple[str, ...] = ()
    closing: Callable[[], Awaitable[None]] = _nothing

    async def read(self) -> Reading:
        """Fetch the value; raises ScalerError for all that keeps one from knowing it."""
        try:
            async with time_limit(self.timeout):
                found = await self.fetch()
                if isinstance(found, Reading):
                    return Reading(checked(found.value), found.is_active)
                value = checked(found)
        except Exception as error:  # whatever a client library has for a server's faults
            raise self.failure(error) from None
        return Reading(value, value > self.activation)

    def failure(self, error: Exception) -> ScalerError:
        """Return what is shown of a failure."""
        why = f"{type(error).__name__}: {error}"
        if isinstance(error, LookupError | TypeError | AttributeError):
            why = f"the answer has another form ({why})"
        elif isinstance(error, ScalerError):
            why = str(error)
        elif isinstance(error, TimeoutError):
            why = f"no answer within {self.timeout:g} s"
        return ScalerError(redacted(f"{self.doing}: {why}", self.secrets))

    async def close(self) -> None:
        """Let go of connections."""
        with contextlib.suppress(Exception):
            await self.closing()


def polled(
    config: TriggerConfig,
    what: str,
    *,
    target: float,
    activation: float,
    fetch: Callable[[], Awaitable[float | Reading]],
    doing: str,
    closing: Callable[[], Awaitable[None]] = _nothing,
    secrets: Iterable[str] = (),
    timeout: float | None = None,
) -> Polled:
    """Return the scaler of a trigger, whose metric is named ``s<index>-<what>``."""
    return Polled(
        MetricSpec(metric_name(config.index, what), target, metric_type(config)),
        activation,
        fetch,
        doing,
        config.timeout if timeout is None else timeout,
        (*secrets_of(config), *secrets),
        closing,
    )
