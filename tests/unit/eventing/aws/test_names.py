"""Names, ARNs and addresses of AWS."""

from __future__ import annotations

import pytest

from eventing.api.integration import S3, Sqs
from eventing.aws.faults import AwsFault
from eventing.aws.names import Name, endpoint_of, parse_name


def test_a_name_is_given_alone_or_as_an_arn() -> None:
    assert parse_name("orders") == Name("orders")
    arn = "arn:aws:sqs:eu-west-1:123456789012:orders"
    assert parse_name(arn) == Name("orders", "123456789012", arn)
    assert parse_name("arn:aws:s3:::letters").name == "letters"


@pytest.mark.parametrize("text", ["arn:", "arn:aws:s3", "arn:aws:s3:::"])
def test_what_is_no_arn_is_refused(text: str) -> None:
    with pytest.raises(AwsFault, match="no ARN"):
        parse_name(text)


def test_a_service_is_at_its_usual_place_or_where_it_is_said_to_be() -> None:
    assert endpoint_of(S3(region="r")) is None
    assert endpoint_of(S3(region="r", uri_endpoint_override="http://s")) is None
    assert endpoint_of(S3(uri_endpoint_override="http://s", override_endpoint=True)) == "http://s"
    assert endpoint_of(Sqs(region="r", host="amazonaws.com", protocol="https")) is None
    assert endpoint_of(Sqs(region="r", host="aws.cn", protocol="http")) == "http://sqs.r.aws.cn"
    with pytest.raises(AwsFault, match="uriEndpointOverride"):
        endpoint_of(S3(override_endpoint=True))
