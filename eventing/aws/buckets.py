"""Whether a bucket is there."""

from __future__ import annotations

from typing import Any

from eventing.api.integration import S3
from eventing.aws.faults import Asked, Fault, problem_of
from eventing.aws.names import parse_name

_WITHOUT_A_PLACE = "us-east-1"
"""The region whose buckets are made without saying where."""


async def bucket_of(client: Any, spec: S3) -> str:
    """Return the name of a bucket; make it where it is absent and ``autoCreateBucket`` says so."""
    bucket = parse_name(spec.arn).name
    try:
        await client.head_bucket(Bucket=bucket)
    except Exception as error:
        if not spec.auto_create_bucket or problem_of(error, Asked("")).fault is not Fault.ABSENT:
            raise
        where = {"CreateBucketConfiguration": {"LocationConstraint": spec.region}}
        more = {} if spec.region == _WITHOUT_A_PLACE else where
        await client.create_bucket(Bucket=bucket, **more)
    return bucket
