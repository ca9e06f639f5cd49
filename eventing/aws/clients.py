"""Clients of AWS's services, on ``aiobotocore``.

Credentials are those that botocore finds: the variables ``AWS_*`` that control sets from a Secret,
else a service account's role, else what the machine has.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from eventing.api.integration import S3, AwsCommon
from eventing.aws.faults import AwsFault
from eventing.aws.names import endpoint_of

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_ATTEMPTS = 3


@contextlib.asynccontextmanager
async def client_of(service: str, common: AwsCommon) -> AsyncIterator[Any]:
    """Open a client of a service; raise AwsFault where aiobotocore is not installed."""
    try:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session
    except ModuleNotFoundError as error:
        raise AwsFault(
            f"{error}: services of AWS take aiobotocore, of the extra `aws` of Hearth's package"
        ) from error
    in_path = isinstance(common, S3) and common.force_path_style
    config = AioConfig(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        s3={"addressing_style": "path" if in_path else "auto"},
        user_agent_extra="hearth",
    )
    session = get_session()
    made = session.create_client(
        service, region_name=common.region, endpoint_url=endpoint_of(common), config=config
    )
    async with made as client:
        yield client
