"""Where Kafka is, by a ConfigMap as upstream's and the Secret it names."""

from __future__ import annotations

import base64
from pathlib import Path

from eventing.api import kafka, keys
from eventing.engines.kafka.config import KafkaServer
from eventing.engines.kafka.properties import consumer_settings, producer_settings
from eventing.engines.kafka.security import security_of
from eventing.engines.seam import Unavailable
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object, uid
from hearth.kube.resources import CONFIGMAPS, SECRETS


async def of_cluster(kubeconfig: Path, config: str = kafka.USUAL_CONFIG) -> KafkaServer:
    """Read what ``NAMESPACE/NAME`` says, and its Secret; raise Unavailable where that fails."""
    async with KubeClient.from_kubeconfig(kubeconfig, user_agent="hearth-kafka") as client:
        try:
            return await _read(client, config)
        except ApiError as error:
            raise Unavailable(f"where Kafka is cannot be read: {error}") from error
        except ValueError as error:
            raise Unavailable(f"ConfigMap {config}: {error}") from error


async def _read(client: KubeClient, config: str) -> KafkaServer:
    config_map = await _config_map(client, config)
    if config_map is None:
        namespace, _, name = config.partition("/")
        raise Unavailable(
            f"nobody says where Kafka is: make a ConfigMap {name} with "
            f"{kafka.BOOTSTRAP} in namespace {namespace}"
        )
    sizes = kafka.usual_sizes(config_map)
    plane = await _config_map(client, f"{keys.SYSTEM_NAMESPACE}/{kafka.DATA_PLANE_MAP}")
    data = (plane or {}).get("data") or {}
    return KafkaServer(
        kafka.bootstrap_of(config_map),
        security_of(await _secret(client, config_map)),
        producer=producer_settings(data.get("config-kafka-broker-producer.properties", "")),
        consumer=consumer_settings(data.get("config-kafka-broker-consumer.properties", "")),
        prefix=f"hearth-{uid(config_map)[:8]}",
        partitions=sizes["partitions"],
        replicas=sizes["replicas"],
        topic_config=kafka.usual_settings(config_map),
    )


async def _config_map(client: KubeClient, config: str) -> Object | None:
    """Return a ConfigMap: the broker may list them, and no more."""
    namespace, _, name = config.partition("/")
    found, _ = await client.list(CONFIGMAPS, namespace, field_selector=f"metadata.name={name}")
    return found[0] if found else None


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
