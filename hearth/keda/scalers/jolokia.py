"""The length of a queue by Jolokia (JMX over HTTP), for ``activemq`` and ``artemis``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from hearth.keda.scalers.http import get_json
from hearth.keda.scalers.polled import Polled, number, polled
from hearth.keda.scalers.seam import ConfigError, ScalerError, TriggerConfig

_NAME = re.compile(r"\{\{\s*\.(\w+)\s*\}\}|<<(\w+)>>")


def parts_of(template: str, failing: str) -> tuple[str, dict[str, str]]:
    """Return the host of an address and the properties of the bean it names.

    Raises ConfigError, which begins with ``failing``.
    """
    try:
        parts = urlsplit(template)
        bean = unquote(parts.path).split(":", 1)[1].rsplit("/", 1)[0]
    except (ValueError, IndexError):
        bean = ""
    pairs = [each.partition("=") for each in bean.split(",") if "=" in each]
    if not pairs or not parts.netloc:
        raise ConfigError(f'{failing}: parse "{template}": invalid URI for request')
    return parts.netloc, {key: value.strip('"') for key, _, value in pairs}


def address_of(template: str, names: Mapping[str, str]) -> str:
    """Return the address that a template makes of names; those it does not know stay."""
    return _NAME.sub(lambda found: names.get(found[1] or found[2], found[0]), template)


def length_of(answer: Any, broker: str) -> float:
    """Return the value of an answer; raises ScalerError where Jolokia says that it failed."""
    if answer.get("status") != 200:
        raise ScalerError(
            f"{broker} management endpoint response error code : 200 {answer.get('status')}"
        )
    return number(answer.get("value"))


def queue_scaler(
    config: TriggerConfig,
    http: httpx.AsyncClient,
    url: str,
    *,
    what: str,
    broker: str,
    doing: str,
    origin: str,
    target: int,
    activation: int,
) -> Polled:
    """Return the scaler of the queue that ``url`` reads; ``http`` knows the user."""
    headers = {"Origin": origin or f"http://{urlsplit(url).netloc}"}

    async def fetch() -> float:
        return length_of(await get_json(http, url, headers=headers), broker)

    return polled(
        config,
        what,
        target=target,
        activation=activation,
        fetch=fetch,
        closing=http.aclose,
        doing=doing,
    )
