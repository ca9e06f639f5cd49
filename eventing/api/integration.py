"""What IntegrationSource and IntegrationSink have in common: services of AWS. Pure."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hearth.knative.fielderrors import Errors, FieldError, missing
from hearth.kube.models import Kept, Model, Required, Schema


class AwsCommon(Model):
    """Where a service is."""

    go_type: ClassVar[str] = "v1alpha1.AWSCommon"

    region: str = ""
    """The region."""
    uri_endpoint_override: Annotated[str, Field(alias="uriEndpointOverride")] = ""
    """Another address of the service."""
    override_endpoint: Annotated[Kept[bool], Schema({"default": False})] = False
    """Whether to use that address."""


class S3(AwsCommon):
    """A bucket."""

    go_type: ClassVar[str] = "v1alpha1.AWSS3"

    arn: str = ""
    """Name or ARN of the bucket."""
    delete_after_read: Annotated[Kept[bool], Schema({"default": True})] = False
    """Whether objects are deleted once they were read."""
    move_after_read: Annotated[Kept[bool], Schema({"default": False})] = False
    """Whether objects are moved once they were read."""
    destination_bucket: str = ""
    """The bucket they are moved to."""
    destination_bucket_prefix: str = ""
    """What their names begin with there."""
    destination_bucket_suffix: str = ""
    """What their names end with there."""
    auto_create_bucket: Annotated[Kept[bool], Schema({"default": False})] = False
    """Whether the bucket is made where there is none."""
    prefix: str = ""
    """What the names of objects begin with."""
    ignore_body: Annotated[Kept[bool], Schema({"default": False})] = False
    """Whether the content of objects is left out."""
    force_path_style: Annotated[Kept[bool], Schema({"default": False})] = False
    """Whether the bucket stands in the path and not in the host name."""
    delay: Annotated[Kept[int], Schema({"default": 500})] = 0
    """Milliseconds between two looks."""
    max_messages_per_poll: Annotated[Kept[int], Schema({"default": 10})] = 0
    """The most objects of one look."""


class Sqs(AwsCommon):
    """A queue."""

    go_type: ClassVar[str] = "v1alpha1.AWSSQS"

    arn: str = ""
    """Name or ARN of the queue."""
    delete_after_read: Annotated[Kept[bool], Schema({"default": True})] = False
    """Whether messages are deleted once they were read."""
    auto_create_queue: Annotated[Kept[bool], Schema({"default": False})] = False
    """Whether the queue is made where there is none."""
    host: Annotated[Kept[str], Schema({"default": "amazonaws.com"})] = ""
    """Host of the service."""
    protocol: Annotated[Kept[str], Schema({"default": "https"})] = ""
    """http or https."""
    queue_url: Annotated[str, Field(alias="queueURL")] = ""
    """Address of the queue."""
    greedy: Annotated[Kept[bool], Schema({"default": False})] = False
    """Whether the next look follows at once where messages came."""
    delay: Annotated[Kept[int], Schema({"default": 500})] = 0
    """Milliseconds between two looks."""
    max_messages_per_poll: Annotated[Kept[int], Schema({"default": 1})] = 0
    """The most messages of one look."""
    wait_time_seconds: int = 0
    """How long a look waits for messages."""
    visibility_timeout: int = 0
    """Seconds for which nobody else gets a message."""


class DynamoDbStreams(AwsCommon):
    """The changes of a table."""

    go_type: ClassVar[str] = "v1alpha1.AWSDDBStreams"

    table: str = ""
    """The table."""
    stream_iterator_type: Annotated[str, Schema({"default": "FROM_LATEST"})] = ""
    """Where to begin."""
    delay: Annotated[int, Schema({"default": 500})] = 0
    """Milliseconds between two looks."""


class Sns(AwsCommon):
    """A topic."""

    go_type: ClassVar[str] = "v1alpha1.AWSSNS"

    arn: str = ""
    """Name or ARN of the topic."""
    auto_create_topic: Annotated[Kept[bool], Schema({"default": False})] = False
    """Whether the topic is made where there is none."""


class SecretReference(Model):
    """A Secret."""

    name: Annotated[Kept[str], Required()] = ""


class Secret(Model):
    """Where the keys are."""

    ref: SecretReference | None = None


class Auth(Model):
    """Whose keys are used."""

    go_type: ClassVar[str] = "v1alpha1.Auth"

    secret: Secret | None = None
    """The Secret that holds the keys."""
    service_account_name: str = ""
    """A service account that has rights of its own."""

    @property
    def is_given(self) -> bool:
        """Whether there is anything to authenticate with."""
        reference = self.secret.ref if self.secret is not None else None
        return bool(self.service_account_name or (reference is not None and reference.name))


Service = S3 | Sqs | DynamoDbStreams | Sns


def check_only_one(count: int, what: str) -> Errors:
    """Complain unless exactly one source or sink is set."""
    if count > 1:
        return [FieldError(f"only one {what} type can be set", ("spec",))]
    return [] if count else [FieldError(f"at least one {what} type must be specified", ("spec",))]


def check_service(name: str, service: Service, auth: Auth | None) -> Errors:
    """Check the one service that is set; ``name`` is the one Knative complains by."""
    errors: Errors = []
    if auth is None or not auth.is_given:
        errors.append(missing("aws.auth.secret.ref.name"))
    field = "table" if isinstance(service, DynamoDbStreams) else "arn"
    for needed in (field, "region"):
        if not getattr(service, needed):
            errors.append(missing(f"aws.{name}.{needed}"))
    return errors
