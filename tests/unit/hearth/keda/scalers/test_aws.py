"""Who a trigger is to AWS."""

from __future__ import annotations

from typing import Any

import pytest

from hearth.keda.scalers.aws import Identity, identity_of
from hearth.keda.scalers.aws_cloudwatch import Settings, value_of
from hearth.keda.scalers.aws_dynamodb import values_of
from hearth.keda.scalers.aws_sqs import length_of
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.seam import PodIdentity, ScalerError, TriggerConfig

POD = PodIdentity("aws", role_arn="arn:own")
CLOUDWATCH = {
    "awsRegion": "r",
    "namespace": "n",
    "metricName": "m",
    "dimensionName": "d",
    "dimensionValue": "v",
    "targetMetricValue": "2",
    "minMetricValue": "1",
}


@pytest.mark.parametrize(
    ("given", "identity"),
    [
        ({"auth": {"awsAccessKeyID": "A", "awsSecretAccessKey": "S"}}, Identity("r", "A", "S")),
        ({"auth": {"awsAccessKeyId": "A", "awsSecretAccessKey": "S"}}, Identity("r", "A", "S")),
        (
            {"auth": {"awsAccessKeyID": "A", "awsSecretAccessKey": "S", "awsSessionToken": "T"}},
            Identity("r", "A", "S", "T"),
        ),
        ({"auth": {"awsRoleArn": "arn:a"}}, Identity("r", role="arn:a")),
        ({"metadata": {"identityOwner": "operator"}}, Identity("r")),
        (
            {
                "metadata": {"awsAccessKeyIDFromEnv": "ID", "awsSecretAccessKeyFromEnv": "KEY"},
                "env": {"ID": "A", "KEY": "S"},
            },
            Identity("r", "A", "S"),
        ),
        (
            {"pod_identity": POD, "auth": {"awsRoleArn": "no"}},
            Identity("r", role="arn:own", is_pods=True),
        ),
        ({"pod_identity": PodIdentity("aws")}, Identity("r", is_pods=True)),
    ],
)
def test_identities(given: dict[str, Any], identity):
    assert identity_of(TriggerConfig("aws", given.pop("metadata", {}), **given), "r") == identity


def test_an_identity_shows_no_key():
    assert "hunter2" not in repr(Identity("r", "A", "hunter2", "hunter2"))


def cloudwatch(**said):
    return read_params(Settings, TriggerConfig("aws-cloudwatch", {**CLOUDWATCH, **said}))


def test_whole_periods_are_asked_for():
    asked = cloudwatch(metricEndTimeOffset="60", metricCollectionTime="600").request(1000.0)
    assert (asked["StartTime"].timestamp(), asked["EndTime"].timestamp()) == (300, 900)
    stat = asked["MetricDataQueries"][0]["MetricStat"]
    assert stat["Metric"]["Dimensions"] == [{"Name": "d", "Value": "v"}]
    assert "Unit" not in stat


def test_an_expression_is_asked_for_as_it_is():
    asked = cloudwatch(expression="SELECT 1", awsAccountId="7").request(1000.0)
    assert asked["MetricDataQueries"] == [
        {"Id": "q1", "Expression": "SELECT 1", "Period": 300, "AccountId": "7"}
    ]


def test_no_value_is_the_least_one_or_an_error():
    assert value_of([{"Values": [5.0, 4.0]}], cloudwatch()) == 5
    assert value_of([{"Values": []}], cloudwatch()) == 1
    assert value_of([], cloudwatch(ignoreNullValues="false")) == 1
    with pytest.raises(ScalerError, match="empty metric data received"):
        value_of([{"Values": []}], cloudwatch(ignoreNullValues="false"))


def test_values_of_dynamodb_keep_their_types():
    said = '{":a": {"N": "1"}, ":b": {"B": "x"}, ":c": {"L": [{"M": {"d": {"NULL": 1}}}]}}'
    assert values_of(said) == {
        ":a": {"N": "1"},
        ":b": {"B": b"x"},
        ":c": {"L": [{"M": {"d": {"NULL": True}}}]},
    }


def test_the_length_of_a_queue_is_the_sum_of_what_is_counted():
    answer = {"Attributes": {"a": "1", "b": "2"}}
    assert length_of(answer, ["a", "b"]) == 3
    with pytest.raises(ScalerError, match="metric c not found in SQS queue attributes"):
        length_of(answer, ["c"])
