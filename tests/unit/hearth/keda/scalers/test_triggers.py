"""Triggers as they are written: the metric each asks for, and what is said of wrong ones.

Names, defaults and words are KEDA's (``pkg/scalers/*_scaler.go``).
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hearth.keda.scalers.catalog import make
from hearth.keda.scalers.polled import Polled
from hearth.keda.scalers.seam import ConfigError, PodIdentity, TriggerConfig

WHO = {"username": "me", "password": "hunter2"}
KEYS = {"awsAccessKeyID": "AKIA", "awsSecretAccessKey": "hunter2"}
AWS = {"awsRegion": "eu-west-1"}
STORAGE = {
    "connection": "DefaultEndpointsProtocol=https;AccountName=me;"
    f"AccountKey={base64.b64encode(b'hunter2').decode()};EndpointSuffix=core.windows.net"
}
POSTGRES = {
    "targetQueryValue": "5",
    "query": "SELECT 1",
    "host": "h",
    "port": "5432",
    "userName": "me",
    "dbName": "jobs",
    "sslmode": "disable",
}
MYSQL = {"query": "SELECT 1", "queryValue": "4.4", "host": "h", "port": "3306", "dbName": "jobs"}
CLICKHOUSE = {"query": "SELECT 1", "targetQueryValue": "5", "host": "h"}
MONGO = {
    "dbName": "jobs",
    "collection": "waiting.now",
    "query": '{"state": "waiting"}',
    "queryValue": "3",
    "host": "h",
    "port": "27017",
}
ETCD = {"endpoints": "a:2379,b:2379", "watchKey": "/jobs/length", "value": "5"}
INFLUX = {"serverURL": "http://i", "query": "q", "organizationName": "org", "thresholdValue": "4"}
INFLUX3 = {
    "serverURL": "http://i",
    "query": "q",
    "influxVersion": "3",
    "database": "jobs",
    "metricKey": "mean",
    "thresholdValue": "4",
}
GRAPHITE = {"serverAddress": "http://g", "query": "jobs", "queryTime": "-10Minutes"}
LOKI = {"serverAddress": "http://l", "query": "jobs", "threshold": "7"}
SEARCH = {
    "index": "a;b",
    "query": "{}",
    "valueLocation": "hits.total.value",
    "targetValue": "9",
    "addresses": "http://a,http://b",
}
ACTIVEMQ = {"managementEndpoint": "h:8161", "destinationName": "q.1", "brokerName": "b"}
ARTEMIS = {"managementEndpoint": "h", "queueName": "q", "brokerName": "b", "brokerAddress": "a"}
SOLR = {"host": "http://s", "collection": "c", "targetQueryValue": "2"}
COUCH = {"host": "h", "port": "5984", "dbName": "animals", "queryValue": "1", "query": "{}"}
BEANSTALKD = {"server": "h:11300", "tube": "a tube".replace(" ", "/"), "value": "5"}
GITHUB = {"owner": "acme", "runnerScope": "org"}
DYNAMO = {
    **AWS,
    "tableName": "jobs",
    "keyConditionExpression": "#k = :v",
    "expressionAttributeNames": '{"#k": "kind"}',
    "expressionAttributeValues": '{":v": {"S": "a"}}',
    "targetValue": "3",
}
CLOUDWATCH = {
    **AWS,
    "namespace": "AWS/SQS",
    "metricName": "Depth",
    "dimensionName": "QueueName;Kind",
    "dimensionValue": "q;k",
    "targetMetricValue": "2",
    "minMetricValue": "1",
}
SPLUNK = {
    "host": "https://s:8089",
    "targetValue": "1",
    "activationValue": "5",
    "savedSearchName": "jobs",
    "valueField": "count",
}
NSQ = {"nsqLookupdHTTPAddresses": "h:4161", "topic": "t", "channel": "c"}
PULSAR = {"adminURL": "http://p", "topic": "persistent://public/default/t", "subscription": "s"}
DATADOG = {"query": "sum:trace.hits{env:none}.as_count()", "queryValue": "7"}
DATADOG_KEYS = {"apiKey": "k1-secret", "appKey": "k2-secret"}
NEWRELIC = {"account": "1", "nrql": "SELECT 1", "threshold": "100"}
DYNATRACE = {"host": "https://d", "metricSelector": "m", "threshold": "5"}
ARANGO = {
    "endpoints": "http://a",
    "dbName": "d",
    "collection": "c",
    "query": "q",
    "queryValue": "1",
}

NAMED: list[tuple[str, dict[str, str], dict[str, str], str, float, float]] = [
    ("postgresql", POSTGRES, {"password": "hunter2"}, "postgresql", 5, 0),
    ("mysql", MYSQL, WHO, "mysql-jobs", 4.4, 0),
    ("mongodb", MONGO, WHO, "mongodb-waiting-now", 3, 0),
    ("clickhouse", CLICKHOUSE, {}, "clickhouse", 5, 0),
    ("etcd", ETCD, {}, "etcd--jobs-length", 5, 0),
    ("influxdb", INFLUX, {"authToken": "hunter2"}, "influxdb-org", 4, 0),
    ("influxdb", INFLUX3, {"authToken": "hunter2"}, "influxdb-jobs", 4, 0),
    ("graphite", GRAPHITE, {}, "graphite", 100, 0),
    ("loki", {**LOKI, "activationThreshold": "3"}, {}, "loki", 7, 3),
    ("elasticsearch", SEARCH, WHO, "elasticsearch-query", 9, 0),
    ("opensearch", SEARCH, WHO, "opensearch-query", 9, 0),
    ("activemq", ACTIVEMQ, WHO, "activemq-q-1", 10, 0),
    ("artemis-queue", ARTEMIS, WHO, "artemis-q", 10, 10),
    ("solr", SOLR, WHO, "solr", 2, 0),
    ("couchdb", COUCH, WHO, "coucdb-animals", 1, 0),
    ("beanstalkd", BEANSTALKD, {}, "beanstalkd-a-2Ftube", 5, 0),
    ("github-runner", GITHUB, {"personalAccessToken": "x"}, "github-runner-acme", 1, 1),
    ("aws-sqs-queue", {**AWS, "queueURL": "https://sqs/1/q"}, KEYS, "aws-sqs-q", 5, 0),
    ("aws-sqs-queue", {**AWS, "queueURL": "plain"}, KEYS, "aws-sqs-plain", 5, 0),
    ("aws-kinesis-stream", {**AWS, "streamName": "s"}, KEYS, "aws-kinesis-s", 2, 0),
    ("aws-dynamodb-streams", {**AWS, "tableName": "t"}, KEYS, "aws-dynamodb-streams-t", 2, 0),
    ("aws-dynamodb", DYNAMO, KEYS, "aws-dynamodb-jobs", 3, 0),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, "aws-cloudwatch", 2, 0),
    ("azure-queue", {"queueName": "q"}, STORAGE, "azure-queue-q", 5, 0),
    ("azure-blob", {"blobContainerName": "c"}, STORAGE, "azure-blob-c", 5, 0),
    ("splunk", SPLUNK, WHO, "splunk-jobs", 1, 5),
    ("nsq", NSQ, {}, "nsq-t-c", 10, 0),
    ("pulsar", PULSAR, {}, "pulsar-persistent---public-default-t-s", 10, 0),
    ("datadog", DATADOG, DATADOG_KEYS, "datadog-sum-trace-hits", 7, 0),
    ("new-relic", NEWRELIC, {"queryKey": "hunter2"}, "new-relic", 100, 0),
    ("dynatrace", DYNATRACE, {"token": "hunter2"}, "dynatrace", 5, 0),
    ("arangodb", ARANGO, {}, "arangodb", 1, 0),
]


def trigger(kind: str, metadata: dict[str, str], auth: dict[str, str], **more: Any) -> Any:
    return make(TriggerConfig(kind, metadata, auth=auth, **more))


@pytest.mark.parametrize(
    ("kind", "metadata", "auth", "name", "target", "activation"),
    NAMED,
    ids=[f"{each[0]}-{place}" for place, each in enumerate(NAMED)],
)
async def test_the_metric_of_a_trigger(kind, metadata, auth, name, target, activation):
    made = trigger(kind, metadata, auth, index=1)
    asked = made if isinstance(made, Polled) else made._asked
    assert (made.spec.name, made.spec.target) == (f"s1-{name}", target)
    assert asked.activation == activation
    await made.close()


WITHOUT: list[tuple[str, dict[str, str], dict[str, str], str, str]] = [
    ("postgresql", POSTGRES, {}, "targetQueryValue", "no targetQueryValue given"),
    ("postgresql", POSTGRES, {}, "host", "no host given"),
    ("postgresql", POSTGRES, {}, "port", "no port given"),
    ("postgresql", POSTGRES, {}, "userName", "no userName given"),
    ("postgresql", POSTGRES, {}, "dbName", "no dbName given"),
    ("postgresql", POSTGRES, {}, "sslmode", "no sslmode given"),
    ("postgresql", POSTGRES, {}, "query", 'missing required parameter "query" in'),
    ("mysql", MYSQL, WHO, "queryValue", 'missing required parameter "queryValue" in'),
    ("mongodb", MONGO, WHO, "host", "no host given"),
    ("clickhouse", CLICKHOUSE, {}, "host", "either connectionString or host must be set"),
    ("mongodb", MONGO, WHO, "port", "no port given"),
    ("mongodb", MONGO, {"username": "me"}, "", "no password given"),
    ("etcd", ETCD, {}, "watchKey", 'missing required parameter "watchKey" in'),
    ("influxdb", INFLUX, {}, "thresholdValue", "no threshold value given"),
    ("influxdb", INFLUX, {}, "organizationName", "organizationName is required if influxVersion"),
    ("influxdb", INFLUX3, {}, "database", "database is required if influxVersion is 3"),
    ("influxdb", INFLUX3, {}, "metricKey", "metricKey is required if influxVersion is 3"),
    ("elasticsearch", SEARCH, {}, "", "both username and password must be provided when"),
    ("elasticsearch", SEARCH, {}, "addresses", "must provide either cloud config or endpoint"),
    ("elasticsearch", SEARCH, WHO, "query", "either searchTemplateName or query must be provided"),
    ("opensearch", SEARCH, {}, "", "both username and password must be provided for basic auth"),
    ("activemq", ACTIVEMQ, WHO, "managementEndpoint", "no management endpoint given"),
    ("activemq", ACTIVEMQ, WHO, "destinationName", "no destination name given"),
    ("activemq", ACTIVEMQ, WHO, "brokerName", "no broker name given"),
    ("artemis-queue", ARTEMIS, WHO, "queueName", "no queue name given"),
    ("artemis-queue", ARTEMIS, WHO, "brokerAddress", "no broker address given"),
    ("solr", SOLR, WHO, "collection", 'missing required parameter "collection" in'),
    ("couchdb", COUCH, WHO, "queryValue", "no queryValue given"),
    ("couchdb", COUCH, WHO, "dbName", "no dbName given"),
    ("github-runner", GITHUB, {}, "owner", 'missing required parameter "owner" in'),
    ("aws-dynamodb", DYNAMO, KEYS, "targetValue", "no targetValue given"),
    ("aws-dynamodb", DYNAMO, {}, "", "awsAccessKeyID not found"),
    ("aws-dynamodb", DYNAMO, {"awsAccessKeyID": "A"}, "", "awsSecretAccessKey not found"),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, "namespace", "namespace not given"),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, "metricName", "metric name not given"),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, "dimensionName", "dimension name not given"),
    ("azure-queue", {"queueName": "q"}, {}, "", "no connection setting given"),
    ("azure-blob", {"blobContainerName": "c"}, {}, "", "connection string is required when not"),
    ("datadog", DATADOG, {"apiKey": "a"}, "", "error parsing Datadog metadata: missing AppKey"),
    ("datadog", DATADOG, DATADOG_KEYS, "query", "error parsing Datadog metadata: missing Query"),
    ("datadog", DATADOG, DATADOG_KEYS, "queryValue", "no targetValue or queryValue given"),
    ("dynatrace", DYNATRACE, {"token": "t"}, "metricSelector", "either 'metricSelector' or 'quer"),
    ("arangodb", ARANGO, {}, "queryValue", "no QueryValue given"),
]


@pytest.mark.parametrize(
    ("kind", "metadata", "auth", "missing", "words"),
    WITHOUT,
    ids=[f"{each[0]}-{each[3] or place}" for place, each in enumerate(WITHOUT)],
)
def test_a_trigger_without_what_it_needs(kind, metadata, auth, missing, words):
    written = {key: value for key, value in metadata.items() if key != missing}
    with pytest.raises(ConfigError) as fault:
        trigger(kind, written, auth)
    assert words in str(fault.value)


WRONG: list[tuple[str, dict[str, str], dict[str, str], dict[str, str], str]] = [
    (
        "postgresql",
        POSTGRES,
        {"connection": "hunter2 is all"},
        {},
        "error establishing postgreSQL connection: cannot parse connection",
    ),
    ("mysql", MYSQL, {"connectionString": "me:hunter2@tcp"}, {}, "missing the slash separating"),
    ("mysql", MYSQL, {"connectionString": "me:hunter2@tcp(h:x)/d"}, {}, "invalid port 'x'"),
    ("mysql", MYSQL, {"connectionString": "me:hunter2@/d?tls=own"}, {}, "invalid value / unknown"),
    ("mongodb", MONGO, {**WHO, "tls": "enable"}, {}, "at least one of cert, key, or ca must be"),
    (
        "mongodb",
        MONGO,
        {**WHO, "tls": "enable", "cert": "c"},
        {},
        "both cert and key must be provided when using client certificates",
    ),
    (
        "clickhouse",
        CLICKHOUSE,
        {"connectionString": "http://me:hunter2@h"},
        {},
        "it begins with clickhouse:// or tcp://",
    ),
    ("clickhouse", CLICKHOUSE, {}, {"port": "x"}, "invalid port 'x'"),
    ("clickhouse", CLICKHOUSE, {"tls": "true", "cert": "c"}, {}, "both cert and key must be provi"),
    ("etcd", ETCD, {"tls": "maybe"}, {}, "incorrect value for TLS given: maybe"),
    ("etcd", ETCD, {"tls": "enable", "cert": "c"}, {}, "key must be provided with cert"),
    ("etcd", ETCD, {"tls": "enable", "key": "c"}, {}, "cert must be provided with key"),
    ("etcd", ETCD, {"password": "hunter2"}, {}, "username must be provided with password"),
    ("etcd", ETCD, {"username": "me"}, {}, "password must be provided with username"),
    ("etcd", ETCD, {}, {"watchProgressNotifyInterval": "0"}, "must be greater than 0"),
    ("influxdb", INFLUX, {}, {"authToken": "hunter2"}, "is removed in v2.20"),
    ("influxdb", INFLUX3, {}, {"queryType": "sql"}, "query type must be 'influxql' or 'flightsql'"),
    ("graphite", GRAPHITE, {}, {"authMode": "basic"}, "username is required when authMode is 'ba"),
    ("loki", LOKI, {}, {"authModes": "basic"}, "username=<empty> is required when basic auth"),
    (
        "elasticsearch",
        SEARCH,
        WHO,
        {"cloudID": "c", "apiKey": "k"},
        "can't provide both cloud config and endpoint addresses",
    ),
    ("elasticsearch", SEARCH, WHO, {"searchTemplateName": "t"}, "cannot provide both searchTempl"),
    ("opensearch", SEARCH, WHO, {"enableTLS": "true"}, "both clientCert and clientKey must be pro"),
    ("activemq", ACTIVEMQ, WHO, {"restAPITemplate": "nowhere"}, "unable to parse ActiveMQ restAP"),
    ("artemis-queue", ARTEMIS, {**WHO, "cert": "c"}, {}, "both cert and key must be provided"),
    ("beanstalkd", BEANSTALKD, {}, {"tube": "a\r\nquit"}, "tube is a name of up to 200"),
    ("github-runner", GITHUB, {}, {"applicationID": "1"}, "no installationID given"),
    ("github-runner", GITHUB, {}, {"runnerScope": "all"}, "must be one of [org ent repo]"),
    ("aws-sqs-queue", AWS, KEYS, {"queueURL": "https://sqs/q"}, "cannot get queueName from queueU"),
    ("aws-dynamodb", DYNAMO, KEYS, {"expressionAttributeNames": "{}"}, "empty map"),
    ("aws-dynamodb", DYNAMO, KEYS, {"expressionAttributeNames": "no"}, "invalid expressionAttribu"),
    (
        "aws-dynamodb",
        DYNAMO,
        KEYS,
        {"expressionAttributeValues": '{":v": {"N": 1}}'},
        "error parsing expressionAttributeValues: invalid expressionAttributeValues",
    ),
    (
        "aws-dynamodb",
        DYNAMO,
        KEYS,
        {"expressionAttributeValues": '{":v": {"SS": []}}'},
        "unsupported data type for attribute value: SS",
    ),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, {"dimensionValue": "q"}, "are not matching in size"),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, {"metricUnit": "Hours"}, "metricUnit 'Hours' is not one"),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, {"metricStatPeriod": "0"}, "can not be smaller than 1"),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, {"metricStatPeriod": "20"}, "has to be one of [1, 5, 10"),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, {"metricStatPeriod": "90"}, "has to be a multiple of 60"),
    ("aws-cloudwatch", CLOUDWATCH, KEYS, {"metricCollectionTime": "100"}, "a multiple of metricS"),
    ("azure-queue", {"queueName": "q"}, STORAGE, {"cloud": "Moon"}, "invalid cloud environment Mo"),
    (
        "azure-queue",
        {"queueName": "q"},
        STORAGE,
        {"cloud": "Private"},
        "endpointSuffix must be pro",
    ),
    ("azure-queue", {"queueName": "q"}, {"connection": "hunter2"}, {}, "can't parse storage conne"),
    ("azure-blob", {"blobContainerName": "c"}, STORAGE, {"globPattern": "[\\]"}, "invalid glob"),
    ("splunk", SPLUNK, {**WHO, "apiToken": "t"}, {}, "API token and Password were all set"),
    ("splunk", SPLUNK, WHO, {"host": "nowhere"}, "invalid value for host. Must be a valid URL"),
    ("nsq", NSQ, {}, {"depthThreshold": "-1"}, "depthThreshold must be a positive integer"),
    ("nsq", NSQ, {}, {"activationDepthThreshold": "-1"}, "must be greater than or equal to 0"),
    ("datadog", DATADOG, DATADOG_KEYS, {"query": "a"}, "malformed Datadog query: missing query s"),
    ("datadog", DATADOG, DATADOG_KEYS, {"age": "-1"}, "age should not be smaller than 0 seconds"),
    ("datadog", DATADOG, DATADOG_KEYS, {"type": "x"}, "type has to be global or average"),
    (
        "datadog",
        DATADOG,
        DATADOG_KEYS,
        {"useClusterAgentProxy": "true"},
        "datadog metrics service is required",
    ),
    ("new-relic", NEWRELIC, {"queryKey": "k"}, {"region": "MARS"}, "invalid region: MARS"),
    ("dynatrace", DYNATRACE, {"token": "t"}, {"query": "q"}, "are mutually exclusive"),
]


@pytest.mark.parametrize(
    ("kind", "metadata", "auth", "change", "words"),
    WRONG,
    ids=[f"{each[0]}-{place}" for place, each in enumerate(WRONG)],
)
def test_a_trigger_that_is_written_wrong(kind, metadata, auth, change, words):
    with pytest.raises(ConfigError) as fault:
        trigger(kind, {**metadata, **change}, auth)
    assert words in str(fault.value)
    assert "hunter2" not in str(fault.value)


@pytest.mark.parametrize("kind", ["azure-queue", "azure-blob"])
def test_an_identity_that_azure_does_not_know(kind):
    named = {"queueName": "q", "blobContainerName": "c"}
    with pytest.raises(ConfigError, match="not supported for"):
        trigger(kind, named, {}, pod_identity=PodIdentity("gcp"))


@pytest.mark.parametrize(
    ("kind", "metadata", "auth"),
    [
        (kind, metadata, auth)
        for kind, metadata, auth, missing, words in WITHOUT
        if missing in ("targetQueryValue", "queryValue") and not words.startswith("missing")
    ],
)
async def test_a_formula_needs_no_target(kind, metadata, auth):
    written = {k: v for k, v in metadata.items() if k not in ("targetQueryValue", "queryValue")}
    made = trigger(kind, written, auth, as_metric_source=True)
    assert made.spec.target == 0
    await made.close()


def test_all_faults_of_a_trigger_are_told_at_once_after_kedas_words():
    with pytest.raises(ConfigError) as fault:
        trigger("mysql", {}, {})
    assert str(fault.value) == (
        "error parsing MySQL metadata: error parsing mysql metadata: "
        'missing required parameter "query" in [triggerMetadata]\n'
        'missing required parameter "queryValue" in [triggerMetadata]'
    )
