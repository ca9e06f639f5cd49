"""The adapter of one ApiServerSource: ``hearth run apiserversource``, in a pod that control makes.

What to do comes in the variables that Knative's adapters get: ``K_SINK``, ``K_CA_CERTS``,
``K_CE_OVERRIDES`` and ``K_SOURCE_CONFIG``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from eventing.api.apiserveradapter import CONFIG, AdapterConfig
from eventing.sources.delivery import delivering
from hearth.kube.kubeconfig import access_of


class NotInstalled(ValueError):
    """kopf is not there."""


async def run(
    kubeconfig: Path, ready: Callable[[], None], environment: Mapping[str, str] = os.environ
) -> None:
    """Send what happens, until cancelled; raise ValueError where the variables say nothing."""
    try:
        from eventing.sources.apiserver.adapter import watch
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"{error}: ApiServerSources take kopf, of the extra `sources` of Hearth's package"
        ) from error
    config = AdapterConfig.from_json(environment.get(CONFIG, ""))
    async with delivering(environment, "apiserversource") as delivery:
        await watch(config, delivery, access_of(kubeconfig), ready)
