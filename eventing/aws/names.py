"""Names and ARNs of what AWS has, and where its services are. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from eventing.api.integration import AwsCommon, Sqs
from eventing.aws.faults import AwsFault

_USUAL_HOST = "amazonaws.com"


@dataclass(frozen=True, slots=True)
class Name:
    """What a field ``arn`` says: a name alone, or a whole ARN."""

    name: str
    account: str = ""
    """Whose it is, where the ARN says so."""
    arn: str = ""


def parse_name(text: str) -> Name:
    """Read ``orders`` or ``arn:aws:sqs:eu-west-1:123456789012:orders``."""
    if not text.startswith("arn:"):
        return Name(text)
    parts = text.split(":", 5)
    if len(parts) != 6 or not parts[5]:
        raise AwsFault(f"{text} is no ARN: arn:PARTITION:SERVICE:REGION:ACCOUNT:NAME")
    return Name(parts[5], parts[4], text)


def endpoint_of(common: AwsCommon) -> str | None:
    """Return the address of the service; None where it is the usual one of the region."""
    if common.override_endpoint:
        if not common.uri_endpoint_override:
            raise AwsFault("overrideEndpoint is set, and uriEndpointOverride is not: set both")
        return common.uri_endpoint_override
    if isinstance(common, Sqs):
        host, protocol = common.host or _USUAL_HOST, common.protocol or "https"
        if (host, protocol) != (_USUAL_HOST, "https"):
            return f"{protocol}://sqs.{common.region}.{host}"
    return None
