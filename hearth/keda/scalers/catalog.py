"""The types of triggers: each one's module is imported when the first trigger asks for it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import cast

from hearth.keda.scalers.seam import ConfigError, Scaler, TriggerConfig
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, wall_clock

TYPES: dict[str, str] = {
    "activemq": "activemq",
    "apache-kafka": "kafka:make_apache",
    "arangodb": "arangodb",
    "artemis-queue": "artemis",
    "aws-cloudwatch": "aws_cloudwatch",
    "aws-dynamodb": "aws_dynamodb",
    "aws-dynamodb-streams": "aws_shards:make_dynamodb_streams",
    "aws-kinesis-stream": "aws_shards:make_kinesis",
    "aws-sqs-queue": "aws_sqs",
    "azure-app-insights": "azure_app_insights",
    "azure-blob": "azure_blob",
    "azure-log-analytics": "azure_log_analytics",
    "azure-monitor": "azure_monitor",
    "azure-queue": "azure_queue",
    "azure-servicebus": "azure_servicebus",
    "beanstalkd": "beanstalkd",
    "clickhouse": "clickhouse",
    "couchdb": "couchdb",
    "cpu": "resource",
    "cron": "cron",
    "datadog": "datadog",
    "dynatrace": "dynatrace",
    "elasticsearch": "elasticsearch:make_elasticsearch",
    "etcd": "etcd",
    "external": "external",
    "external-push": "external",
    "forgejo-runner": "forgejo_runner",
    "gcp-cloudtasks": "gcp_monitoring:make_cloudtasks",
    "gcp-pubsub": "gcp_monitoring:make_pubsub",
    "gcp-stackdriver": "gcp_monitoring:make_stackdriver",
    "gcp-storage": "gcp_storage",
    "github-runner": "github_runner",
    "graphite": "graphite",
    "ibmmq": "ibmmq",
    "influxdb": "influxdb",
    "kafka": "kafka",
    "kubernetes-resource": "kubernetes_resource",
    "kubernetes-workload": "kubernetes_workload",
    "loki": "loki",
    "memory": "resource",
    "metrics-api": "metrics_api",
    "mongodb": "mongodb",
    "mysql": "mysql",
    "nats-jetstream": "nats_jetstream",
    "new-relic": "newrelic",
    "nsq": "nsq",
    "opensearch": "elasticsearch:make_opensearch",
    "postgresql": "postgresql",
    "prometheus": "prometheus",
    "pulsar": "pulsar",
    "rabbitmq": "rabbitmq",
    "redis": "redis",
    "redis-cluster": "redis",
    "redis-cluster-streams": "redis_streams",
    "redis-sentinel": "redis",
    "redis-sentinel-streams": "redis_streams",
    "redis-streams": "redis_streams",
    "selenium-grid": "selenium_grid",
    "solr": "solr",
    "splunk": "splunk",
}
"""Module, and function where it is not ``make``, of each of KEDA's type names."""

_SHARING = frozenset(
    {"cron", "kubernetes-resource", "kubernetes-workload", "metrics-api", "prometheus"}
)
_OWN = "hearth"


@dataclass(frozen=True, slots=True)
class Shared:
    """What scalers of one process have in common."""

    client: KubeClient | None = None
    """For triggers that look at Kubernetes itself."""
    clock: Clock = wall_clock


def needed(shared: Shared) -> KubeClient:
    """Return the client of what looks at Kubernetes; ConfigError where there is none."""
    if shared.client is None:
        raise ConfigError("this trigger looks at a Kubernetes API, and none is known here")
    return shared.client


def make(config: TriggerConfig, shared: Shared | None = None) -> Scaler:
    """Return the scaler of a trigger, not yet connected. Raises ConfigError in KEDA's words."""
    if config.type not in TYPES:
        known = ", ".join(sorted(TYPES))
        raise ConfigError(f"no scaler found for type: {config.type}; there are: {known}")
    module, _, function = TYPES[config.type].partition(":")
    try:
        maker = getattr(
            importlib.import_module(f"hearth.keda.scalers.{module}"), function or "make"
        )
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == _OWN:
            raise
        raise ConfigError(
            f"triggers of type {config.type} need the Python package of {error.name}, which is not "
            "installed: pip install 'hearth-serving[scalers]'"
        ) from error
    given = (config, shared or Shared()) if config.type in _SHARING else (config,)
    return cast(Scaler, maker(*given))
