"""The adapter of one IntegrationSource: ``hearth run integrationsource``, in a pod.

The pod is a ContainerSource's. What to do comes in ``K_SOURCE_CONFIG``, where to send in the
variables that a SinkBinding sets.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eventing.api.apiserveradapter import CONFIG
from eventing.sources.delivery import delivering
from eventing.sources.integration.timer import Timer, send_ticks


async def run(
    ready: Callable[[], None],
    environment: Mapping[str, str] = os.environ,
    *,
    kubeconfig: Path | None = None,
) -> None:
    """Send events, until cancelled; raise ValueError for what the user has to mend.

    What an adapter that begins anew has to know is kept by the API server of ``kubeconfig``.
    """
    config = _config(environment.get(CONFIG, ""))
    timer = None if config.get("aws") else Timer.of(config.get("timer"))
    async with delivering(environment, "integrationsource") as delivery:
        if timer is not None:
            await send_ticks(timer, delivery, ready)
            return
        # boto's modules are large: they come with the first source that needs them.
        from eventing.sources.integration.aws.run import run_aws

        await run_aws(config["aws"], delivery, ready, kubeconfig=kubeconfig)


def _config(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        return dict(found)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{CONFIG} says nothing: {text!r}") from error
