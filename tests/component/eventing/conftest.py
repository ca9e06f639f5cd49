"""The data plane is tested on both event loops: asyncio and uvloop, which serves in production.

What is slow to start (the API server, processes) is tested on uvloop alone.
"""

import asyncio

import pytest
import uvloop

from tests.component.eventing.aws.awsserver import aws_server

_UVLOOP_ALONE = {
    "test_access.py",
    "test_adapters.py",
    "test_admin.py",
    "test_apiserver_adapter.py",
    "test_channels.py",
    "test_control.py",
    "test_ddb_source.py",
    "test_dispatchers.py",
    "test_encryption.py",
    "test_eventtransform.py",
    "test_flows.py",
    "test_integrationsink.py",
    "test_jobsink.py",
    "test_kafka.py",
    "test_kafka_broker.py",
    "test_kafka_channel.py",
    "test_kafka_sink.py",
    "test_kafka_source.py",
    "test_kill.py",
    "test_copying.py",
    "test_moving.py",
    "test_nats.py",
    "test_nats_broker.py",
    "test_nats_channel.py",
    "test_nats_login.py",
    "test_nats_order.py",
    "test_requestreply.py",
    "test_ping.py",
    "test_s3_source.py",
    "test_sink.py",
    "test_sources.py",
    "test_sqs_source.py",
    "test_webhooksource.py",
}


def pytest_asyncio_loop_factories(config, item):
    if item.path.name in _UVLOOP_ALONE:
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def aws(monkeypatch):
    """The address of a server that answers as AWS does, and credentials for it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    with aws_server() as url:
        yield url
