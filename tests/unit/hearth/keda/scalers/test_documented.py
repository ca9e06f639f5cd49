"""docs/keda.md has a row for a type, and every parameter stands in it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from hearth.keda.scalers import (
    activemq,
    arangodb,
    artemis,
    aws_cloudwatch,
    aws_dynamodb,
    aws_shards,
    aws_sqs,
    azure_app_insights,
    azure_blob,
    azure_log_analytics,
    azure_monitor,
    azure_queue,
    azure_servicebus,
    beanstalkd,
    clickhouse,
    couchdb,
    datadog,
    dynatrace,
    elasticsearch,
    etcd,
    forgejo_runner,
    gcp_monitoring,
    gcp_storage,
    github_runner,
    graphite,
    ibmmq,
    influxdb,
    loki,
    mongodb,
    mysql,
    newrelic,
    nsq,
    postgresql,
    pulsar,
    selenium_grid,
    solr,
    splunk,
)
from hearth.keda.scalers.authentication import Authentication

PAGE = (Path(__file__).parents[5] / "docs" / "keda.md").read_text()
SETTINGS: dict[str, Any] = {
    "activemq": activemq.Settings,
    "arangodb": arangodb.Settings,
    "artemis-queue": artemis.Settings,
    "aws-cloudwatch": aws_cloudwatch.Settings,
    "aws-dynamodb": aws_dynamodb.Settings,
    "aws-dynamodb-streams": aws_shards.DynamoDBStreams,
    "aws-kinesis-stream": aws_shards.Kinesis,
    "aws-sqs-queue": aws_sqs.Settings,
    "azure-app-insights": azure_app_insights.Settings,
    "azure-blob": azure_blob.Settings,
    "azure-log-analytics": azure_log_analytics.Settings,
    "azure-monitor": azure_monitor.Settings,
    "azure-queue": azure_queue.Settings,
    "azure-servicebus": azure_servicebus.Settings,
    "beanstalkd": beanstalkd.Settings,
    "clickhouse": clickhouse.Settings,
    "couchdb": couchdb.Settings,
    "datadog": datadog.Settings,
    "dynatrace": dynatrace.Settings,
    "elasticsearch": elasticsearch.Elasticsearch,
    "etcd": etcd.Settings,
    "forgejo-runner": forgejo_runner.Settings,
    "gcp-cloudtasks": gcp_monitoring.CloudTasks,
    "gcp-pubsub": gcp_monitoring.PubSub,
    "gcp-stackdriver": gcp_monitoring.Stackdriver,
    "gcp-storage": gcp_storage.Settings,
    "github-runner": github_runner.Settings,
    "graphite": graphite.Settings,
    "ibmmq": ibmmq.Settings,
    "influxdb": influxdb.Settings,
    "loki": loki.Settings,
    "mongodb": mongodb.Settings,
    "mysql": mysql.Settings,
    "new-relic": newrelic.Settings,
    "nsq": nsq.Settings,
    "opensearch": elasticsearch.OpenSearch,
    "postgresql": postgresql.Settings,
    "pulsar": pulsar.Settings,
    "selenium-grid": selenium_grid.Settings,
    "solr": solr.Settings,
    "splunk": splunk.Settings,
}
SHARED = {field.name for field in dataclasses.fields(Authentication)}
OF_CLOUDS = {"awsRegion", "awsEndpoint", "identityOwner", "credentials", "credentialsFromEnvFile"}


@pytest.mark.parametrize("type_", SETTINGS)
def test_all_parameters_of_a_type_are_documented(type_):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{type_}` |"))
    said = set(re.findall(r"[A-Za-z]+", row)) | OF_CLOUDS
    own = [
        field.metadata["keda"]
        for field in dataclasses.fields(SETTINGS[type_])
        if not (issubclass(SETTINGS[type_], Authentication) and field.name in SHARED)
    ]
    left = [each.names for each in own if not each.deprecated and not set(each.names) <= said]
    assert left == []
