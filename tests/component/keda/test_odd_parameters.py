"""Parameters that somebody wrote anyhow: a scaler, or an error that says so; nothing else."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearth.keda.scalers import catalog
from hearth.keda.scalers.seam import ConfigError, MetricType
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from tests.component.keda.scaling import trigger

_SAID: dict[str, dict[str, str]] = {
    "cpu": {"value": "50"},
    "cron": {"start": "0 6 * * *", "end": "0 20 * * *", "timezone": "UTC", "desiredReplicas": "1"},
    "external": {"scalerAddress": "here:1", "enableTLS": "true", "unsafeSsl": "false"},
    "kafka": {
        "bootstrapServers": "here:1",
        "consumerGroup": "g",
        "topic": "t",
        "partitionLimitation": "1-2",
        "lagThreshold": "1",
    },
    "apache-kafka": {"bootstrapServers": "here:1", "consumerGroup": "g", "topic": "t,u"},
    "kubernetes-workload": {"podSelector": "app=web", "value": "1"},
    "metrics-api": {
        "url": "http://here/",
        "valueLocation": "a",
        "targetValue": "1",
        "timeout": "1s",
        "authModes": "basic",
    },
    "nats-jetstream": {
        "natsServerMonitoringEndpoint": "here:1",
        "account": "a",
        "stream": "s",
        "consumer": "c",
    },
    "prometheus": {
        "serverAddress": "http://here",
        "query": "up",
        "threshold": "1",
        "customHeaders": "a=b",
        "queryParameters": "a=b",
    },
    "rabbitmq": {
        "host": "amqp://here/",
        "queueName": "q",
        "mode": "QueueLength",
        "value": "1",
        "vhostName": "v",
    },
    "redis": {"address": "here:1", "listName": "l", "databaseIndex": "1", "enableTLS": "true"},
    "redis-streams": {"hosts": "a,b", "ports": "1,2", "stream": "s", "lagCount": "1"},
}
_TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="0123456789.-+eE:/[]@%,=", max_size=12),
    st.sampled_from(["http://[", "amqp://[::1", "amqp://a:x/", "amqp://u:p@[/", "9" * 400, "NaN"]),
)


@pytest.mark.parametrize("type_", sorted(_SAID))
@settings(max_examples=40)
@given(data=st.data())
def test_a_trigger_is_made_or_refused(type_, data):
    said = dict(_SAID[type_])
    said[data.draw(st.sampled_from(sorted(said)))] = data.draw(_TEXTS)
    config = dataclasses.replace(
        trigger(type_, **said),
        auth=data.draw(st.dictionaries(st.sampled_from(["username", "password", "ca"]), _TEXTS)),
        metric_type=data.draw(st.sampled_from([None, *MetricType])),
    )

    async def make() -> None:
        async with KubeClient(Access("http://127.0.0.1:1")) as client:
            made = catalog.make(config, catalog.Shared(client))
            assert made.spec.name.startswith("s0-") or made.spec.resource
            await made.close()

    try:
        asyncio.run(make())
    except ConfigError as refused:
        assert str(refused)
