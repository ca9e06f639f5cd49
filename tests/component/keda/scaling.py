"""What tests of scalers share: a trigger as an object says it, read once or often."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from hearth.keda.scalers import catalog
from hearth.keda.scalers.seam import Reading, Scaler, TriggerConfig

_SECONDS = 20.0


def trigger(type_: str, /, **metadata: str) -> TriggerConfig:
    """A trigger of an object ``worker`` in the namespace ``team``; servers may be slow here."""
    return TriggerConfig(type_, metadata, namespace="team", object_name="worker", timeout=_SECONDS)


@contextlib.asynccontextmanager
async def scaler(
    config: TriggerConfig, shared: catalog.Shared | None = None
) -> AsyncIterator[Scaler]:
    """A scaler that is closed at the end."""
    made = catalog.make(config, shared)
    try:
        yield made
    finally:
        await made.close()


async def read(config: TriggerConfig, **shared: Any) -> Reading:
    """What a trigger says now."""
    async with scaler(config, catalog.Shared(**shared)) as made:
        return await made.read()
