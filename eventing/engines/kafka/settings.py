"""Where Kafka is, by a ConfigMap of upstream's and the Secret it names."""

from __future__ import annotations

import base64
from pathlib import Path

from eventing.api import kafka, keys
from eventing.engines.kafka.config import KafkaServer
from eventing.engines.kafka.security import security_of
from eventing.engines.seam import Unavailable
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object, uid
from hearth.kube.resources import CONFIGMAPS, SECRETS

_USUAL = f"{keys.SYSTEM_NAMESPACE}/{kafka.CONFIG_MAP}"


async def of_cluster(kubeconfig: Path, config: str = _USUAL) -> KafkaServer:
    """Read where Kafka is, and the Secret that is named; raise Unavailable where that fails.

    ``config`` names the ConfigMap: NAMESPACE/NAME.
    """
    async with KubeClient.from_kubeconfig(kubeconfig, user_agent="hearth-kafka") as client:
        try:
            config_map = await _config_map(client, *config.split("/", 1))
            bootstrap = kafka.bootstrap_of(config_map)
            sizes = kafka.usual_sizes(config_map)
            return KafkaServer(
                bootstrap,
                security_of(await _secret(client, config_map)),
                prefix=f"hearth-{uid(config_map)[:8]}",
                partitions=sizes["partitions"],
                replicas=sizes["replicas"],
            )
        except ApiError as error:
            raise Unavailable(f"where Kafka is cannot be read: {error}") from error
        except ValueError as error:
            raise Unavailable(f"ConfigMap {config.partition('/')[2]}: {error}") from error


async def _config_map(client: KubeClient, where: str, title: str) -> Object:
    """Return the ConfigMap: the broker may list them, and no more."""
    selector = f"metadata.name={title}"
    found, _ = await client.list(CONFIGMAPS, where, field_selector=selector)
    if not found:
        raise Unavailable(
            f"nobody says where Kafka is: make a ConfigMap {title} with "
            f"{kafka.BOOTSTRAP} in namespace {where}"
        )
    return found[0]


async def _secret(client: KubeClient, config_map: Object) -> dict[str, str]:
    named = kafka.secret_of(config_map)
    if named is None:
        return {}
    namespace, name = named
    try:
        found = await client.get(SECRETS, name, namespace)
    except NotFound:
        raise Unavailable(f"failed to get secret {namespace}/{name}: not found") from None
    return {key: base64.b64decode(text).decode() for key, text in (found.get("data") or {}).items()}
